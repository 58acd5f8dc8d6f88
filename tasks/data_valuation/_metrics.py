"""How values are scored. Percent where a card says so; None where there is nothing to count.

``value`` (N,) is any numbers, ``bad`` (N,) bool says which rows were corrupted.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from bench import Metric, Reference


def ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks along the last axis, the mean of ties, so that only the order counts."""
    found: np.ndarray = rankdata(values, axis=-1)
    return found


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation along the last axis; NaN where one side is constant."""
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    length = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    flat = length <= 1e-12 * max(1.0, float(np.abs(a).max()) * float(np.abs(b).max()))
    found: np.ndarray = np.where(flat, np.nan, (a * b).sum(-1) / np.where(flat, 1.0, length))
    return found


def spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation along the last axis; NaN where one side is constant."""
    return correlation(ranks(a), ranks(b))


def known(value: float) -> float | None:
    """Return a figure; None where it is not a number."""
    return None if np.isnan(value) else float(value)


def detection(value: np.ndarray, bad: np.ndarray) -> dict[str, float | None]:
    """Score how well low values find corrupted rows; ties in every order."""
    errors = int(bad.sum())
    if errors in (0, len(bad)):
        return dict.fromkeys(("auroc", "ap", "recall", "kmeans_f1"))
    order = ranks(-value)
    flagged = low_cluster(value)
    both = flagged.sum() + errors
    return {
        "auroc": 100 * float(roc_auc_score(bad, order)),
        "ap": 100 * float(average_precision_score(bad, order)),
        "recall": 100 * _hits(order, bad, errors) / errors,
        "kmeans_f1": 200 * float((flagged & bad).sum() / both),
    }


def _hits(order: np.ndarray, bad: np.ndarray, k: int) -> float:
    """Return how many corrupted rows are expected among the k of the highest ranks."""
    limit = np.sort(order)[-k]
    above, tied = order > limit, order == limit
    return float(bad[above].sum() + bad[tied].sum() * (k - above.sum()) / tied.sum())


def low_cluster(value: np.ndarray) -> np.ndarray:
    """Return which rows are in the lower of two clusters (N,), the split of the line that leaves
    the least squares; none where all are equal.

    It depends on the shape of the values and not on their order alone.
    """
    order = np.sort(value)
    n = len(order)
    sums, squares = np.cumsum(order)[:-1], np.cumsum(order**2)[:-1]
    low = np.arange(1, n)
    within = squares - sums**2 / low
    high = (squares[-1] + order[-1] ** 2 - squares) - (sums[-1] + order[-1] - sums) ** 2 / (n - low)
    allowed = order[:-1] < order[1:]
    if not allowed.any():
        return np.zeros(n, dtype=bool)
    cut = int(np.argmin(np.where(allowed, within + high, np.inf)))
    found: np.ndarray = value <= order[cut]
    return found


def twins(value: np.ndarray, twin: np.ndarray) -> float | None:
    """Return the mean distance of the values of copies, over the spread of all values."""
    copies, spread = np.flatnonzero(twin != np.arange(len(twin))), float(value.std())
    if not len(copies) or spread == 0:
        return None
    return float(np.abs(value[copies] - value[twin[copies]]).mean()) / spread


def points(low: float | None = 0) -> dict[str, object]:
    """Return the unit and bounds of a figure in percent."""
    return {"unit": "%", "bounds": (low, 100)}


COST = (
    Metric(
        name="n_fits", direction="none", bounds=(0, None), title="models that the method fitted"
    ),
    Metric(
        name="fits_per_s",
        direction="none",
        clock=True,
        bounds=(0, None),
        title="models fitted in a second of processor time",
    ),
)

RELIABILITY = Metric(
    name="reliability",
    bounds=(-1, 1),
    title="Spearman's correlation of values from two halves of the method's samples, drawn apart; "
    "none where nothing is drawn",
)

REFERENCES = (
    Reference(name="random", kind="low"),
    Reference(
        name="oracle-mask",
        kind="high",
        title="1 for rows that are as they were, 0 for corrupted ones",
        solve="tell_corrupted",
    ),
)
