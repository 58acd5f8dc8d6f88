"""How learning curves are judged. None where there is nothing to count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench import Metric, Reference

GOOD = 95.0
"""Accuracy in percent at which ``labels_to_95`` stops."""

CURVE = Metric(
    name="curve",
    primary=True,
    unit="%",
    bounds=(0, 100),
    title="mean test accuracy over the start and all rounds",
)
ACC_FINAL = Metric(
    name="acc_final",
    unit="%",
    bounds=(0, 100),
    title="test accuracy when the budget is spent",
)
LABELS_TO_95 = Metric(
    name="labels_to_95",
    direction="min",
    bounds=(0, None),
    title="known labels at the first report with a test accuracy of 95 %; empty: there was none",
)
OUTLIERS_ASKED = Metric(
    name="outliers_asked",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="share of the queried rows that are outliers, of another source, or wrongly labelled",
)
CHOOSE = Metric(
    name="choose_s",
    direction="min",
    unit="s",
    clock=True,
    bounds=(0, None),
    title="seconds of choosing, all rounds together",
)
RMSE_CURVE = Metric(
    name="rmse_curve",
    primary=True,
    direction="min",
    bounds=(0, None),
    title="geometric mean over the rounds, without the start, of the root mean squared error on "
    "test rows",
)
LOG_RMSE = Metric(
    name="log_rmse",
    direction="min",
    bounds=(-28, None),
    title="natural logarithm of that mean",
)
RMSE_FINAL = Metric(
    name="rmse_final",
    direction="min",
    bounds=(0, None),
    title="root mean squared error on test rows when the budget is spent",
)
CLASSES = (CURVE, ACC_FINAL, LABELS_TO_95, OUTLIERS_ASKED, CHOOSE)
NUMBERS = (RMSE_CURVE, LOG_RMSE, RMSE_FINAL, CHOOSE)

REFERENCES = (
    Reference(name="random", kind="low", title="rows drawn at random"),
    Reference(
        name="all-labels",
        kind="high",
        title="the net of all rows' true targets, after the steps of all rounds together",
        solve="all_labels",
    ),
)
CONTROL = Reference(
    name="outlier-free",
    kind="control",
    title="entropy on the pool without outliers, inverted digits and rows of a noisy source",
    solve="outlier_free",
)


def accuracy(logits: np.ndarray, y: np.ndarray) -> float:
    """Return the accuracy of logits (n, C) against labels (n,) in percent."""
    return 100 * float((logits.argmax(1) == y).mean())


def rmse(said: np.ndarray, y: np.ndarray) -> float:
    """Return the root mean squared error of numbers (n,)."""
    return float(np.sqrt(np.mean((said.astype(np.float64) - y) ** 2)))


def log_rmse(errors: Sequence[float]) -> float:
    """Return the mean logarithm of errors; one of 0 counts as 1e-12."""
    return float(np.mean(np.log(np.maximum(errors, 1e-12))))


def labels_to(curve: Sequence[dict[str, Any]], good: float = GOOD) -> float | None:
    """Return the known labels at the first report with an accuracy of ``good``, or None."""
    return next((float(entry["step"]) for entry in curve if entry["acc"] >= good), None)


def interval(acc: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval, in percent, of an accuracy in percent over ``count`` rows."""
    z, p = 1.96, acc / 100
    middle, scale = p + z * z / (2 * count), 1 + z * z / count
    wide = z * float(np.sqrt(p * (1 - p) / count + z * z / (4 * count * count)))
    return 100 * (middle - wide) / scale, 100 * (middle + wide) / scale
