"""Figures of values that are to find corrupted rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import Metric
from bench.tracks.data_valuation import Problem

from ._data import Hidden
from ._metrics import detection, twins
from ._task import SHARES, dropped

DETECTION = (
    Metric(
        name="ap",
        unit="%",
        bounds=(0, 100),
        title="average precision of minus the value; chance is the rate of corrupted rows",
    ),
    Metric(
        name="recall",
        unit="%",
        bounds=(0, 100),
        title="corrupted rows among the k of the lowest values, k the number of corrupted rows",
    ),
    Metric(
        name="kmeans_f1",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="F1 of the lower of two clusters of the values; it depends on their shape, not their "
        "order, and never ranks",
    ),
    Metric(
        name="dup_gap",
        direction="none",
        bounds=(0, None),
        title="mean distance of the values of exact copies, over the spread of all values",
    ),
)

DROPPED = (
    Metric(
        name="acc_drop20",
        unit="%",
        bounds=(0, 100),
        title="test accuracy without the fifth of the lowest values",
    ),
    Metric(
        name="acc_drop0",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="with all rows: a method below it has hurt",
    ),
    Metric(
        name="acc_oracle",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="without the corrupted rows, as many rows as the nearest 5 %",
    ),
)


def detected(
    problem: Problem, hidden: Hidden, value: np.ndarray
) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Return the figures of values (N,), and for classes the accuracy without rows."""
    bad = hidden.bad.cpu().numpy()
    found = detection(value, bad) | {"dup_gap": twins(value, hidden.twin.cpu().numpy())}
    if not problem.n_classes:
        return found | dict.fromkeys(metric.name for metric in DROPPED), {}
    lines = dropped(problem, hidden, value)
    oracle = dropped(problem, hidden, np.where(bad, 0.0, 1.0))["lowest dropped"]
    away = np.abs(SHARES - bad.mean())
    found |= {
        "acc_drop20": float(lines["lowest dropped"][4]),
        "acc_drop0": float(lines["lowest dropped"][0]),
        # where more rows are corrupted than are ever dropped, no point of the line is without them
        "acc_oracle": float(oracle[int(np.argmin(away))]) if away.min() <= 0.025 + 1e-9 else None,
    }
    return found, {name: list(zip(100 * SHARES, line, strict=True)) for name, line in lines.items()}
