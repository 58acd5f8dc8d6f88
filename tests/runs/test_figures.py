"""Figures: numbers, finite, within the bounds of their metrics; whoever
reads records keeps to them too.
"""

from __future__ import annotations

import shutil

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.cards import Metric, Preset, TaskCard
from bench.errors import InvalidRun
from bench.plugins.registry import Registry
from bench.runs.figures import LARGEST, figure, figures, held, outside

numbers = st.floats(-1e6, 1e6)


def card(*metrics, track="t", name="k"):
    return TaskCard(
        name=name,
        title="K",
        track=track,
        metrics=(msgspec.structs.replace(metrics[0], primary=True), *metrics[1:]),
        presets={"smoke": Preset(variants={"plain": {}})},
    )


@given(numbers, st.floats(1e-3, 1e6), st.floats(0, 1))
def test_a_figure_between_its_bounds_passes_and_one_beyond_them_by_more_than_rounding_does_not(
    low, width, place
):
    metric = Metric(name="m", bounds=(low, low + width))
    assert outside(metric, low + place * width) == ""
    slack = 1.1e-6 * max(abs(low), abs(low + width))
    for value in (low - slack - 1e-3 * width, low + width + slack + 1e-3 * width):
        assert f"from {low:g} to {low + width:g}" in outside(metric, value)


@pytest.mark.parametrize("value", [-0.00009, 100.00009])
def test_what_rounding_adds_to_a_bound_is_no_fault(value):
    assert outside(Metric(name="m", bounds=(0, 100)), value) == ""


@pytest.mark.parametrize(
    ("bounds", "good", "bad"),
    [
        ((0, None), 1e9, -1.0),
        ((None, 0), -1e9, 1.0),
        (None, -1e99, 1e308),
        ((None, None), 1e99, -1e308),
        ((0, None), 0.0, 1e308),
        ((0, 100), 5, 1e308),
    ],
)
def test_an_open_end_bounds_nothing_but_what_no_mean_can_hold(bounds, good, bad):
    metric = Metric(name="m", bounds=bounds)
    assert outside(metric, good) == ""
    assert outside(metric, bad)


def test_a_metric_whose_bounds_are_the_wrong_way_round_is_no_card():
    with pytest.raises(ValueError, match="the first must be below the second"):
        Metric(name="m", bounds=(100, 0))


@pytest.mark.parametrize(
    "value", [3, 2.5, np.float32(2), np.int64(3), torch.tensor(2.0), torch.tensor([2.0])]
)
def test_whatever_is_one_number_is_a_figure(value):
    assert figure("m", value) == float(value)


@pytest.mark.parametrize(
    "value",
    [
        "12",
        "nan",
        b"1",
        True,
        np.True_,
        torch.tensor(True),
        [1.0],
        {},
        torch.zeros(2),
        np.zeros(3),
        object(),
        1j,
        10**400,
    ],
)
def test_what_is_no_number_is_said_in_a_sentence(value):
    with pytest.raises(InvalidRun, match="which is no number; a figure is a float, or None"):
        figure("m", value)


def test_a_curve_keeps_to_the_bounds_of_the_metrics_it_names_and_says_the_report():
    own = card(Metric(name="acc", bounds=(0, 100)))
    assert figures(own, {"acc": 5, "other": 1e9, "none": None}) == {
        "acc": 5.0,
        "other": 1e9,
        "none": None,
    }
    with pytest.raises(InvalidRun, match=r"other = 1e\+308 at report 3, beyond 1e\+100"):
        figures(own, {"other": 1e308}, " at report 3")
    with pytest.raises(
        InvalidRun, match="acc = 250 at report 3, and the card bounds it to from 0 to 100"
    ):
        figures(own, {"acc": 250.0}, " at report 3")


def test_every_metric_of_every_built_in_task_declares_bounds():
    assert [
        (identity, metric.name)
        for identity, found in Registry([]).cards().items()
        for metric in found.metrics
        if metric.bounds is None
    ] == []


@pytest.mark.parametrize(
    "value", ["250.0", "-3.0", "1e308", "float('inf')", "float('nan')", "'12'", "[1.0]"]
)
@pytest.mark.parametrize("place", ["metric", "curve"])
def test_a_run_whose_task_gives_a_figure_beyond_its_bounds_is_invalid(
    run_plan, tmp_path, mock_folder, place, value
):
    copy = tmp_path / "copy"
    shutil.copytree(mock_folder, copy)
    task, method = (
        copy / "tasks" / "condensation" / "few_points.py",
        copy / "methods" / "condensation" / "points.py",
    )
    text = task.read_text()
    if place == "metric":
        text = text.replace(
            'metrics={"acc": 100 * float((predicted == y).double().mean())}',
            f'metrics={{"acc": {value}}}',
        )
    else:
        text = text.replace(
            "    def evaluate(",
            f"    def watch(self, case, k, step, model):\n        return Watched({{'acc': "
            f"{value}}})\n\n    def evaluate(",
            1,
        )
        text = text.replace("Task, TaskCard\n", "Task, TaskCard, Watched\n", 1)
        method.write_text(
            method.read_text().replace(
                "        return SmallSet(", "        run.report(1, None)\n        return SmallSet("
            )
        )
    assert text != task.read_text()
    task.write_text(text)
    record = run_plan(
        paths=[str(copy)],
        methods=("rows",),
        tasks=("few-points",),
        preset="smoke",
        variants=("ipc1",),
        seeds="1",
    ).records[0]
    assert record.status == "invalid"
    assert record.metrics == {}
    assert "acc" in record.error.message


# Records that others wrote -----------------------------------------------------------


def test_a_record_beyond_its_bounds_counts_as_invalid_and_the_others_stay_as_they_are(make_record):
    own = card(Metric(name="acc", bounds=(0, 100)))
    good, bad, failed = (
        make_record(0),
        make_record(1, metrics={"acc": 250.0}),
        make_record(2, status="failed"),
    )
    found, said = held([good, bad, failed], {"t/k": own})
    assert [record.status for record in found] == ["ok", "invalid", "failed"]
    assert found[0] is good
    assert found[2] is failed
    assert found[1].metrics == {}
    assert "acc = 250, and the card bounds it" in found[1].error.message
    assert said == ["acc = 250 of m on k, seed 1"]
    assert bad.status == "ok"
    assert held([bad], {})[0] == [bad]


def test_a_figure_without_bounds_may_be_as_large_as_can_be_averaged(make_record):
    own = card(Metric(name="acc"))
    assert [
        record.status
        for record in held(
            [make_record(metrics={"acc": LARGEST}), make_record(metrics={"acc": 1e308})],
            {"t/k": own},
        )[0]
    ] == [
        "ok",
        "invalid",
    ]
