"""Which recorded numbers are wrong: one planted record of each kind, and
none where nothing is wrong.
"""

from __future__ import annotations

import json

import msgspec
import pytest

from bench.cards import Metric, Preset, TaskCard
from bench.runs.results_doctor import RULES, diagnose
from bench.runs.store import Store

CARD = TaskCard(
    name="k",
    title="A task",
    track="t",
    metrics=(
        Metric(name="acc", primary=True, unit="%", bounds=(0, 100), chance=10, title="accuracy"),
        Metric(name="loss", direction="min"),
        Metric(name="seconds", direction="min", clock=True),
    ),
    presets={"default": Preset(variants={"v": {}})},
)
PROVENANCE = {"versions": {"torch": "2"}, "files": {"m": "a"}, "kernels": {"numpy_blas": "Haswell"}}


@pytest.fixture
def said(store, make_record):
    """Write records, and return rule -> seeds of those that it names with what it says."""

    def call(*records, stale=(), shares=None, cards=None):
        for fields in records:
            fields = {
                "metrics": {"acc": 50.0 + fields.get("seed", 0), "loss": 0.5, "seconds": 1.0},
                "data": {},
                "provenance": PROVENANCE,
                **fields,
            }
            store.write(make_record(**fields))
        briefs = store.briefs()
        seeds = {brief.id: brief.seed for brief in briefs}
        found = {}
        for item in diagnose(
            briefs,
            {"t/k": CARD} if cards is None else cards,
            {brief.id for brief in briefs if brief.seed in stale},
            shares,
        ):
            assert item.rule in RULES
            found.setdefault(item.rule, []).append((seeds[item.record], item.said))
        return {rule: sorted(items) for rule, items in found.items()}

    return call


def figures(acc, loss=0.5, seconds=1.0):
    return {"acc": acc, "loss": loss, "seconds": seconds}


def test_nothing_is_said_of_records_that_are_right(said):
    assert (
        said(*({"seed": seed} for seed in range(5)), {"seed": 7, "status": "failed", "metrics": {}})
        == {}
    )


def test_a_figure_outside_its_bounds_is_wrong(said):
    assert said(
        {"metrics": figures(250.0)},
        {"seed": 1, "metrics": figures(100.00001)},
        {"seed": 2, "metrics": figures(1e308)},
    ) == {"outside": [(0, "acc = 250"), (2, "acc = 1e+308")]}


def test_a_figure_that_is_exactly_chance_or_the_worst_is_suspect(said):
    assert said(
        {"metrics": figures(10.0)},
        {"seed": 1, "metrics": figures(10.25)},
        {"seed": 2, "metrics": figures(0.0)},
    ) == {
        "chance": [(0, "acc = 10")],
        "worst": [(2, "acc = 0")],
    }


def test_accuracy_that_one_class_for_every_row_gives_is_named_with_the_class(said):
    asked = []

    def shares(record):
        asked.append(record.seed)
        return {100 * 41 / 400: "the share of class 3 among y_test (41 of 400)"}

    found = said(
        {"metrics": figures(10.25)},
        {"seed": 1, "metrics": figures(10.5)},
        {"seed": 2, "metrics": figures(80.0)},
        shares=shares,
    )
    assert found == {
        "class-share": [(0, "acc = 10.25, the share of class 3 among y_test (41 of 400)")]
    }
    assert sorted(asked) == [0, 1]  # a task is prepared only for figures near chance


def test_seeds_that_all_agree_are_suspect_unless_only_the_clock_differs_from_them(said):
    found = said(*({"seed": seed, "metrics": figures(85.0, loss=seed)} for seed in range(4)))
    assert found == {"equal-seeds": [(seed, "acc = 85 for all of 4 seeds") for seed in range(4)]}


def test_two_seeds_must_agree_in_everything_but_the_clock(said):
    assert said(
        *({"seed": seed, "metrics": figures(85.0, seconds=seed)} for seed in range(2))
    ).keys() == {"equal-seeds"}


def test_two_seeds_of_one_coarse_figure_are_a_coincidence(said):
    assert said(*({"seed": seed, "metrics": figures(85.0, loss=seed)} for seed in range(2))) == {}


def test_controls_and_figures_at_an_end_of_their_range_may_agree(said):
    assert (
        said(
            *({"seed": seed, "metrics": figures(20.0), "reference": "control"} for seed in range(4))
        )
        == {}
    )
    assert (
        said(*({"seed": seed, "method": "good", "metrics": figures(100.0)} for seed in range(4)))
        == {}
    )


def test_one_key_of_two_numbers_is_wrong_and_of_two_times_is_not(said):
    assert said({}, {"metrics": figures(50.0, seconds=9.0)}) == {}
    found = said({"seed": 1}, {"seed": 1, "metrics": figures(50.5)})
    assert [seed for seed, _ in found.pop("two-numbers")] == [1]
    assert found == {}


@pytest.mark.parametrize(
    ("fields", "gap"),
    [
        (
            {"curve": [{"step": 1, "acc": 40.0}, {"step": 2, "acc": None}]},
            "acc of the curve at step 2",
        ),
        ({"logs": [{"step": 3, "loss": None}]}, "loss of the log at step 3"),
        (
            {
                "curve": [
                    {"step": 1, "acc": 40.0, "fits": None},
                    {"step": 2, "acc": 41.0, "fits": None},
                ]
            },
            "",
        ),
    ],
)
def test_a_curve_or_log_with_figures_that_are_not_finite_is_wrong(said, fields, gap):
    assert said(fields) == ({"gaps": [(0, gap)]} if gap else {})


def test_what_old_records_do_not_say_is_unknown(said):
    old = {name: value for name, value in PROVENANCE.items() if name != "kernels"}
    assert said({"data": None}, {"seed": 1, "provenance": old}) == {
        "data-unknown": [(0, "")],
        "kernels-unknown": [(1, "")],
    }
    assert said({"seed": 2, "data": None, "provenance": old}, stale=[2])["earlier"] == [(2, "")]


def test_a_reference_at_chance_is_not_suspect(said):
    assert said(
        {"metrics": figures(10.0)},
        {"seed": 1, "metrics": figures(10.0), "method": "guess", "reference": "low"},
    ) == {"chance": [(0, "acc = 10")]}


def test_records_of_other_code_are_stale_and_of_tasks_that_are_gone_still_looked_at(said):
    assert said({"data": None}, {"seed": 1}, stale=[1], cards={}) == {
        "data-unknown": [(0, "")],
        "stale": [(1, "")],
    }


def test_a_record_changed_by_hand_is_wrong(said, store, make_record):
    path = store.write(make_record(3, data={}, provenance=PROVENANCE, metrics=figures(53.0)))
    document = json.loads(path.read_text())
    document["task_params"]["rate"] = 0.1
    path.write_text(json.dumps(document))
    assert said() == {"edited": [(3, "")]}


def test_the_index_says_of_a_record_what_its_curve_lacks(store, make_record):
    store.write(make_record(0, curve=[{"step": 1, "acc": None}, {"step": 2, "acc": 3.0}]))
    assert [brief.gap for brief in Store(store.root).briefs()] == ["acc of the curve at step 1"]
    assert msgspec.structs.asdict(store.briefs()[0])["gap"]
