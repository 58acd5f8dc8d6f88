"""Cards of tasks that no board could show, refused where they are read, each in one sentence."""

from __future__ import annotations

import math
import textwrap

import pytest

from bench.cards import Metric, Preset, Reference, TaskCard
from bench.plugins.registry import Registry

FINE = {
    "metrics": (Metric(name="acc", primary=True),),
    "presets": {"smoke": Preset(variants={"plain": {}})},
}


def card(**fields):
    return TaskCard(name="mine", title="Mine", track="my-track", **{**FINE, **fields})


@pytest.mark.parametrize("name", ["", "=cmd|<b>\nx", "two words", "a/b", "-a", "a@b", "x" * 65])
def test_a_metric_whose_name_is_not_one_word_is_refused(name):
    with pytest.raises(ValueError, match="is not one word of letters, digits"):
        Metric(name=name)


@pytest.mark.parametrize("name", ["acc_last", "step", "top-5", "R2", "p.95"])
def test_a_metric_may_have_any_name_of_one_word(name):
    assert Metric(name=name).name == name


@pytest.mark.parametrize(
    "bounds", [(100, 0), (1, 1), (0, math.inf), (-math.inf, math.inf), (math.nan, 1)]
)
def test_bounds_that_are_reversed_or_not_finite_are_refused(bounds):
    with pytest.raises(ValueError, match="the first must be below the second, both finite"):
        Metric(name="acc", bounds=bounds)


@pytest.mark.parametrize(
    ("chance", "bounds"),
    [(250, (0, 100)), (-1, (0, None)), (2, (None, 1)), (math.nan, (0, 100)), (math.inf, None)],
)
def test_a_chance_that_no_predictor_can_reach_is_refused(chance, bounds):
    with pytest.raises(ValueError, match=f"has chance={chance}"):
        Metric(name="acc", chance=chance, bounds=bounds)


def test_a_chance_at_an_end_of_the_bounds_is_fine():
    assert Metric(name="acc", chance=0, bounds=(0, None)).chance == 0


def test_a_unit_of_two_lines_is_refused():
    with pytest.raises(ValueError, match="unit='a"):
        Metric(name="acc", unit="a\nb")


@pytest.mark.parametrize("field", ["limits", "warns"])
def test_words_of_a_metric_of_two_lines_are_refused(field):
    with pytest.raises(ValueError, match=f"{field}='a"):
        Metric(name="acc", **{field: "a\nb"})


def test_a_metric_that_limits_the_primary_one_says_which_way_is_better():
    with pytest.raises(ValueError, match="has limits='worst' and no direction"):
        Metric(name="acc", direction="none", limits="worst")


def test_a_preset_without_variants_is_refused():
    with pytest.raises(ValueError, match="has no variants; give at least one"):
        Preset(variants={})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"presets": {}}, "has no presets, so it can't run"),
        (
            {"metrics": (Metric(name="acc", primary=True), Metric(name="acc", direction="min"))},
            "has two metrics 'acc'",
        ),
        (
            {"references": (Reference(name="a", kind="low"), Reference(name="b", kind="low"))},
            "has several low references",
        ),
        (
            {"references": (Reference(name="a", kind="low"), Reference(name="a", kind="high"))},
            "has two references 'a'",
        ),
    ],
)
def test_a_card_of_a_task_that_contradicts_itself_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        card(**fields)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("name='', primary=True", "a metric's name '' is not one word"),
        ("name='acc', primary=True, bounds=(0, 1), chance=250", "has chance=250"),
        ("name='acc', primary=True, chance=float('nan')", "has chance=nan"),
    ],
    ids=["name", "chance", "computed"],
)
def test_a_file_with_a_refused_card_is_listed_as_broken_with_the_sentence(tmp_path, metric, said):
    path = tmp_path / "mine.py"
    path.write_text(
        textwrap.dedent(f"""
        from typing import ClassVar
        from bench import Metric, Preset, Task, TaskCard

        class Mine(Task):
            '''A task.'''
            card: ClassVar = TaskCard(
                name="mine", title="Mine", track="my-track", metrics=(Metric({metric}),),
                presets={{"smoke": Preset(variants={{"plain": {{}}}})}},
            )
        """)
    )
    (broken,) = Registry(paths=[str(path)]).broken
    assert said in broken.error
    assert "\n" not in broken.error
