"""How scores are judged: the error among the rows that are kept. Percent throughout.

Where scores are equal, the error is its mean over all orders of the equal rows.
"""

from __future__ import annotations

import numpy as np

from bench import Metric

AURC = Metric(
    name="aurc",
    direction="min",
    primary=True,
    unit="%",
    bounds=(0, 100),
    title="error among the k rows with the highest scores, mean over all k",
)
METRICS = (
    AURC,
    Metric(
        name="e_aurc",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="the same minus that of a perfect order, which has all right answers first",
    ),
    Metric(
        name="cov_at_1",
        unit="%",
        bounds=(0, 100),
        title="largest share of rows, by score, whose expected error is at most 1 %",
    ),
    Metric(
        name="halved",
        unit="%",
        bounds=(0, 100),
        title="largest share of rows, by score, whose expected error is at most half of the net's",
    ),
    Metric(
        name="loss",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="mean cost at the method's threshold: 100 for a wrong answer that is kept, the "
        "task's cost for one that is left out",
    ),
    Metric(
        name="kept",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="share of rows kept at the method's threshold",
    ),
    Metric(
        name="acc_filtered",
        unit="%",
        bounds=(0, 100),
        title="accuracy on the half of the rows with the highest scores",
    ),
    Metric(
        name="acc",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="test accuracy of the net, all rows kept",
    ),
)


def risks(scores: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Return the expected error among the k rows with the highest scores, k from 1 to n, as (n,) in
    [0, 1].

    Args:
        scores: of the rows (n,).
        wrong: whether their answer is wrong (n,).
    """
    order = np.argsort(-scores, kind="stable")
    _, place, counts = np.unique(-scores[order], return_inverse=True, return_counts=True)
    # of equal rows each is as likely to come first as another
    share = np.bincount(place, wrong[order].astype(float)) / counts
    return np.cumsum(share[place]) / np.arange(1, len(scores) + 1)


def coverage(risk: np.ndarray, most: float) -> float:
    """Return the largest share of rows, in percent, whose error in ``risk`` (n,) is at most
    ``most``.
    """
    good = np.flatnonzero(risk <= most + 1e-12)
    return 100 * float(good[-1] + 1) / len(risk) if len(good) else 0.0


def cheapest(scores: np.ndarray, wrong: np.ndarray, cost: float) -> float:
    """Return the threshold with the least mean cost on rows (n,), the lowest of several; infinity:
    none is kept.
    """
    edges = np.append(np.unique(scores), np.inf)
    # rows with a score below each edge, and wrong ones among the others
    below = np.searchsorted(np.sort(scores), edges)
    bad = np.append(0, np.cumsum(wrong[np.argsort(scores, kind="stable")]))
    losses = bad[-1] - bad[below] + cost * below
    return float(edges[np.argmin(losses)])


def judged(
    scores: np.ndarray, wrong: np.ndarray, threshold: float, cost: float
) -> dict[str, float | None]:
    """Return all figures of scores (n,) of rows whose answers are wrong or not (n,)."""
    risk, kept = risks(scores, wrong), scores >= threshold
    best = risks(-wrong.astype(float), wrong)
    half = max(1, len(risk) // 2)
    return {
        "aurc": 100 * float(risk.mean()),
        "e_aurc": 100 * max(0.0, float(risk.mean() - best.mean())),
        "cov_at_1": coverage(risk, 0.01),
        "halved": coverage(risk, float(wrong.mean()) / 2),
        "loss": 100 * float(np.where(kept, wrong, cost).mean()),
        "kept": 100 * float(kept.mean()),
        "acc_filtered": 100 - 100 * float(risk[half - 1]),
        "acc": 100 - 100 * float(wrong.mean()),
    }
