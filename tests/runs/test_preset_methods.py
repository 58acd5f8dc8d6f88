"""A preset may name its methods: these run where a command names none, and no key depends on it."""

from __future__ import annotations

import ast

import pytest

from bench.errors import UsageError
from bench.plugins.digest import code_digest
from bench.plugins.registry import Registry, method_card, task_card
from bench.runs.plan import Request, make_plan

PLUGIN = '''
from typing import ClassVar
from bench import Method, MethodCard, Metric, Preset, Reference, Task, TaskCard
class First(Method):
    card: ClassVar = MethodCard(name="first", title="First", track="named-toy")
class Second(Method):
    card: ClassVar = MethodCard(name="second", title="Second", track="named-toy")
class Third(Method):
    card: ClassVar = MethodCard(name="third", title="Third", track="named-toy")
class Toy(Task):
    card: ClassVar = TaskCard(
        name="toy", title="Toy", track="named-toy", metrics=(Metric(name="m", primary=True),),
        presets={
            "smoke": Preset(variants={"one": {}}),
            "default": Preset(variants={"one": {}, "two": {}}, seeds=2, methods=("second",)),
        },
        references=(
            Reference(name="first", kind="low"),
            Reference(name="best", kind="high", solve="best"),
        ),
    )
    def best(self, problem, hidden, run):
        """Return nothing."""
'''


@pytest.fixture
def planned(tmp_path):
    """Return a function from a request to the methods of its plan, and the plan's notes."""
    path = tmp_path / "named_toy.py"
    path.write_text(PLUGIN)
    registry = Registry(paths=[str(path)])

    def call(*methods, preset="default", **fields):
        plan = make_plan(
            Request(track="named-toy", methods=methods, preset=preset, **fields), registry
        )
        return sorted({cell.spec.method for cell in plan.cells}), plan.notes

    return call


def test_where_no_method_is_named_those_of_the_preset_run_and_the_references(planned):
    found, notes = planned()
    assert found == ["best", "first", "second"]
    assert notes == [
        "toy runs only second in its preset default; name other methods with --method, or all "
        "with --method '*'."
    ]


@pytest.mark.parametrize("asked", ["third", "thir*", "third,second"])
def test_a_method_that_is_named_runs_whatever_the_preset_names(planned, asked):
    found, notes = planned(*asked.split(","))
    assert "third" in found
    assert notes == []


def test_a_star_names_every_method(planned):
    assert planned("*") == (["best", "first", "second", "third"], [])


def test_a_preset_that_names_none_runs_all_that_fit(planned):
    assert planned(preset="smoke") == (["best", "first", "second", "third"], [])


def test_the_methods_of_a_preset_are_in_no_digest_of_code_and_its_seeds_are():
    def digest(text):
        return code_digest(ast.parse(text))

    assert digest(PLUGIN) == digest(PLUGIN.replace(', methods=("second",)', ""))
    assert digest(PLUGIN) != digest(PLUGIN.replace("seeds=2", "seeds=3"))


def test_presets_of_the_built_in_tasks_name_methods_that_can_run_there():
    registry, seen = Registry(), 0
    for task in registry.rows("task"):
        for preset in task_card(task).presets.values():
            for name in preset.methods:
                seen += 1
                card = method_card(registry.get("method", f"{task.track}/{name}"))
                assert set(card.needs) <= set(task_card(task).offers)
    assert seen


def test_a_name_that_no_method_can_have_is_refused(tmp_path):
    path = tmp_path / "wrong_toy.py"
    path.write_text(PLUGIN.replace('("second",)', '("Second one",)'))
    registry = Registry(paths=[str(path)])
    with pytest.raises(UsageError, match="'Second one' is not kebab-case"):
        make_plan(Request(tasks=("toy",)), registry)
