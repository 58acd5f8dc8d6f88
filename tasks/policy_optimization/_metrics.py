"""The track's metrics: what a task reports, and areas under curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from bench import Metric

METRICS = (
    Metric(
        name="auc_tokens",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="share of right answers, averaged over log10(tokens in the loss) from 2 to 5",
    ),
    Metric(
        name="mean_test",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="share of right answers drawn at temperature 1, test problems",
    ),
    Metric(
        name="tokens_forwarded",
        direction="min",
        bounds=(0, None),
        title="completion tokens of selected rollouts: what the update computes",
    ),
    Metric(
        name="auc_wall",
        clock=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="the same average over seconds of generation, selection and update; one machine only",
    ),
    Metric(
        name="auc_forwarded",
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="the same average over log10(tokens forwarded) from 3 to 5",
    ),
    Metric(
        name="tokens_to_75",
        direction="min",
        bounds=(0, None),
        title="tokens in the loss until 75 % of the answers are right, between points of the "
        "curve in proportion",
    ),
    Metric(
        name="tokens_in_loss",
        direction="none",
        bounds=(0, None),
        title="tokens of weight above 0; no measure of computing",
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


def area(
    points: Sequence[tuple[float, float]], low: float, high: float, *, logarithmic: bool
) -> float | None:
    """Return the mean of a curve between ``low`` and ``high`` of its first coordinate; each value
    holds until the next point, the last one to the end.

    Args:
        points: (position, value), positions rising; the first value holds before it too.
        low: where the average begins; above 0 where ``logarithmic``.
        high: where it ends.
        logarithmic: average over log10 of the position.
    """
    if not points:
        return None

    def place(position: float) -> float:
        position = min(max(position, low), high)
        return math.log10(position) if logarithmic else position

    edges = [place(low), *(place(position) for position, _ in points[1:]), place(high)]
    return sum(
        value * (end - start)
        for (_, value), start, end in zip(points, edges[:-1], edges[1:], strict=True)
    ) / (edges[-1] - edges[0])


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
