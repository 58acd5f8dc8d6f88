"""The track's metrics: what a task reports, and areas under curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from bench import Metric
from bench.errors import InvalidRun

_REACHED = (
    ("gflop", "flops", 1e9),
    ("tokens", "tokens_in_loss", 1),
    ("seconds", "wall_s", 1),
)
"""What it takes to reach a share of right answers: name of the metric, key in the curve, unit."""

METRICS = (
    Metric(
        name="auc_flops",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="share of right answers, averaged over the floating-point operations of the budget",
    ),
    Metric(
        name="mean_test",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="share of right answers drawn at temperature 1, test problems, after the training",
    ),
    Metric(
        name="gflop_to_75",
        direction="min",
        unit="GFLOP",
        bounds=(0, None),
        title="operations until 75 % of the answers are right, between points of the curve in "
        "proportion; none where that is never so",
    ),
    Metric(
        name="gflop_to_90",
        direction="min",
        unit="GFLOP",
        bounds=(0, None),
        title="operations until 90 % of the answers are right",
    ),
    Metric(
        name="tokens_to_75",
        direction="min",
        bounds=(0, None),
        title="tokens in the loss until 75 % of the answers are right",
    ),
    Metric(
        name="tokens_to_90",
        direction="min",
        bounds=(0, None),
        title="tokens in the loss until 90 % of the answers are right",
    ),
    Metric(
        name="seconds_to_75",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds of generation, selection and updates until 75 % of the answers are right; "
        "to be held against another run of the same job alone",
    ),
    Metric(
        name="seconds_to_90",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds until 90 % of the answers are right, likewise",
    ),
    Metric(
        name="gflop",
        direction="none",
        unit="GFLOP",
        bounds=(0, None),
        title="operations of the training, with those of rollouts that no update followed",
    ),
    Metric(
        name="tokens_in_loss",
        direction="none",
        bounds=(0, None),
        title="tokens of weight above 0; no measure of computing",
    ),
    Metric(
        name="tokens_forwarded",
        direction="none",
        bounds=(0, None),
        title="completion tokens of selected rollouts: what the update computes",
    ),
    Metric(
        name="mean_simple",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="right answers drawn, test problems with one operand changed",
    ),
    Metric(
        name="mean_hard",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="right answers drawn, test problems with brackets that change the answer",
    ),
    Metric(
        name="mean_long",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="right answers drawn, problems of five operations",
    ),
    Metric(
        name="drop_simple",
        direction="min",
        unit="points",
        bounds=(-100, 100),
        title="test minus one operand changed",
    ),
    Metric(
        name="drop_hard",
        direction="min",
        unit="points",
        bounds=(-100, 100),
        title="test minus brackets",
    ),
    Metric(
        name="greedy_test",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="right most likely answers, test problems",
    ),
    Metric(
        name="greedy_simple",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="right most likely answers, one operand changed",
    ),
    Metric(
        name="greedy_hard",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="right most likely answers, brackets",
    ),
    Metric(
        name="greedy_long",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="right most likely answers, five operations",
    ),
    Metric(
        name="pass_test",
        unit="%",
        bounds=(0, 100),
        title="test problems with a right answer among those drawn",
    ),
    Metric(
        name="useful_row_rate",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="selected rollouts whose advantage is not 0",
    ),
    Metric(
        name="tokens_nonzero",
        direction="none",
        bounds=(0, None),
        title="tokens in the loss whose advantage is not 0",
    ),
    Metric(
        name="tokens_generated", direction="none", bounds=(0, None), title="tokens of all rollouts"
    ),
    Metric(name="rollouts", direction="none", bounds=(0, None), title="rollouts generated"),
    Metric(name="optimizer_steps", direction="none", bounds=(0, None), title="optimiser steps"),
    Metric(
        name="skipped_steps", direction="none", bounds=(0, None), title="batches without an update"
    ),
    Metric(
        name="gen_s",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds of generation",
    ),
    Metric(
        name="select_s",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds of selection",
    ),
    Metric(
        name="update_s",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds of updates",
    ),
    Metric(
        name="wall_s",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds of generation, selection and update",
    ),
)


def of_curve(curve: Sequence[Mapping[str, Any]], budget: float) -> dict[str, float | None]:
    """Return the area under a curve of right answers, and what it took to reach some of them.

    Args:
        curve: an entry a report, with ``mean2`` in percent and what was spent until then.
        budget: floating-point operations that a training may take.

    Raises:
        InvalidRun: the first report is of a policy that something was spent on, so that nobody
            knows where the curve began.
    """
    if curve and curve[0]["flops"]:
        raise InvalidRun(
            f"the first report comes after {curve[0]['flops']:.0f} operations, and a curve begins "
            "with none; report the policy of the warm start before the training."
        )
    found = {"auc_flops": area([(entry["flops"], entry["mean2"]) for entry in curve], budget)}
    for name, key, unit in _REACHED:
        points = [(entry[key] / unit, entry["mean2"]) for entry in curve]
        found |= {f"{name}_to_{level}": reached(points, level) for level in (75, 90)}
    return found


def area(points: Sequence[tuple[float, float]], end: float) -> float | None:
    """Return the mean of a curve from 0 to ``end`` of its first coordinate: straight lines between
    its points, the first value before them and the last one after them.

    Args:
        points: (position, value), positions rising.
        end: where the average ends, above 0; what lies beyond it does not count.
    """
    if not points:
        return None
    places, values = np.array(points, dtype=float).T
    inside = places[(places > 0) & (places < end)]
    edges = np.concatenate([[0.0], inside, [end]])
    heights = np.interp(edges, places, values)
    return float(((heights[1:] + heights[:-1]) / 2 * np.diff(edges)).sum() / end)


def reached(points: Sequence[tuple[float, float]], level: float) -> float | None:
    """Return the position at which a curve first reaches ``level``, on
    straight lines between its points; None: nowhere.
    """
    for (before, low), (after, high) in zip(points[:1] + list(points[:-1]), points, strict=True):
        if high >= level:
            return (
                after if high <= low else before + (after - before) * (level - low) / (high - low)
            )
    return None


def pass_at(right: torch.Tensor, k: int) -> torch.Tensor:
    """Return the unbiased chance that one of ``k`` answers is right, 1 -
    C(n - c, k) / C(n, k), for c right ones of n drawn (N, n).
    """
    drawn = right.shape[1]
    chances = torch.tensor(
        [1 - math.comb(drawn - count, k) / math.comb(drawn, k) for count in range(drawn + 1)]
    )
    return chances.to(right.device)[right.sum(-1).long()]
