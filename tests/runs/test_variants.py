"""Parameters in brackets: each set of a task's parameters is one cell
under one name, however it was asked for.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.plugins.registry import Registry
from bench.runs.plan import Request, make_plan
from bench.runs.variants import resolved, variants


@pytest.fixture(scope="module")
def registry():
    return Registry()


@pytest.fixture(scope="module")
def planned(registry):
    def call(*tasks, methods=("ce",), **fields):
        return make_plan(
            Request(methods=methods, tasks=tasks, preset="default", seeds="1", **fields), registry
        )

    return call


def names(plan):
    return [(cell.spec.variant, cell.custom) for cell in plan.cells]


def test_parameters_that_override_every_variant_make_one_cell_and_say_so(planned):
    plan = planned('noisy-digits[noise="asym",rate=0.3]')
    assert [variant.partition("[")[0] for variant, _ in names(plan)] == [
        names(plan)[0][0].partition("[")[0]
    ]
    assert len({cell.spec.cell for cell in plan.cells}) == len(plan.cells) == 1
    (said,) = plan.notes
    assert said.startswith("noisy-digits[noise=asym,rate=0.3]: the variants sym40, ")
    assert said.endswith(f"are one then; it runs once, as {names(plan)[0][0]}.")


def test_parameters_that_make_a_variant_of_the_card_are_that_variant(planned):
    (plain,) = planned("noisy-digits", variants=("sym40",)).cells
    plan = planned('noisy-digits[noise="sym",rate=0.4]')
    assert [cell.spec for cell in plan.cells] == [plain.spec]
    assert names(plan) == [("sym40", False)]
    again = planned("noisy-digits[rate=0.4]", variants=("sym40",))
    assert ([cell.spec for cell in again.cells], again.notes) == ([plain.spec], [])


def test_a_parameter_that_leaves_variants_apart_is_a_variant_of_each_and_needs_no_word(planned):
    plan = planned("noisy-digits[epochs=3]")
    assert len(plan.cells) == len(planned("noisy-digits").cells)
    assert all(variant.endswith("[epochs=3]") and custom for variant, custom in names(plan))
    assert plan.notes == []


def test_what_was_asked_for_twice_by_different_names_runs_once(planned):
    plan = planned("noisy-digits", "noisy-digits[rate=0.4|0.40]", "noisy-labels/noisy-digits")
    assert len({cell.spec.cell for cell in plan.cells}) == len(plan.cells)


TASKS = ["noisy-digits", "condense-digits", "spmotif", "unlearn-random"]


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_equal_parameters_have_one_name_and_the_name_leads_back_to_them(registry, name, data):
    task = registry.select("task", name)[0]
    preset = task.card.presets["default"]
    keys = sorted({key for params in preset.variants.values() for key in params})
    values = {
        key: sorted({str(resolved(task, preset, variant, {})[key]) for variant in preset.variants})
        for key in keys
    }
    chosen = data.draw(st.lists(st.sampled_from(keys), unique=True, max_size=3)) if keys else []
    call = {
        key: data.draw(st.lists(st.sampled_from(values[key]), min_size=1, max_size=2))
        for key in chosen
        if all(" " not in text and "(" not in text for text in values[key])
    }
    wanted = data.draw(st.lists(st.sampled_from(sorted(preset.variants)), unique=True, max_size=2))
    found, _ = variants(task, "default", wanted, call)
    assert (
        len({str(sorted(variant.params.items())) for variant in found})
        == len(found)
        == len({variant.label for variant in found})
    )
    inline = [_parsed(task, call, texts) for texts in itertools.product(*call.values())]
    asked = [
        resolved(task, preset, variant, values)
        for variant in (wanted or preset.variants)
        for values in inline
    ]
    assert {str(sorted(params.items())) for params in asked} == {
        str(sorted(variant.params.items())) for variant in found
    }
    for variant in found:
        base, _, inside = variant.label.partition("[")
        again, said = variants(
            task,
            "default",
            [base],
            {
                key: [text]
                for key, text in (pair.split("=") for pair in inside.rstrip("]").split(",") if pair)
            },
        )
        assert (again, said) == ([variant], [])
        assert variant.custom == bool(inside)


def _parsed(task, call, texts):
    from bench.params import parse_value

    return {
        key: parse_value(task.name, key, task.params[key], text)
        for key, text in zip(call, texts, strict=True)
    }
