"""How an order of models stands up to corrections of the labels they are judged by.

Shapes: M models, N rows.
"""

from __future__ import annotations

import numpy as np

from bench import Metric, Reference


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return Kendall's tau-b of two scores of M models, in [-1, 1].

    Over all pairs of models it is the sum of the products of the signs of both differences, over
    the root of the product of the numbers of pairs that are no tie in the one and in the other. Two
    scores that say the same of every pair agree by 1, be it that all are ties; where only one of
    them ties all, it is 0.

    Source: Kendall (1945), The treatment of ties in ranking problems.
    """
    pairs = np.triu_indices(len(first), 1)
    one, other = (np.sign(score[pairs[0]] - score[pairs[1]]) for score in (first, second))
    if np.array_equal(one, other):
        return 1.0
    return float((one * other).sum() / max(1.0, np.sqrt((one**2).sum() * (other**2).sum())))


def reviewed(suspicion: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Return the ``count`` most suspicious of N rows; among equals by chance."""
    shuffled = generator.permutation(len(suspicion))
    order = shuffled[np.argsort(-suspicion[shuffled], kind="stable")]
    return order[:count]


def stability(
    said: np.ndarray, given: np.ndarray, true: np.ndarray, rows: np.ndarray
) -> dict[str, float]:
    """Score what correcting some labels does to the order of models.

    Args:
        said: the class that each model says of each row (M, N).
        given: the labels of the rows, of which some are wrong (N,).
        true: the right ones (N,).
        rows: numbers of the rows whose label is corrected.
    """
    corrected = given.copy()
    corrected[rows] = true[rows]
    right = {
        name: (said == labels).sum(1)
        for name, labels in (("given", given), ("corrected", corrected), ("true", true))
    }
    chosen = right["true"][right["corrected"] == right["corrected"].max()].mean()
    return {
        "rank_true": agreement(right["corrected"], right["true"]),
        "rank_stability": agreement(right["given"], right["corrected"]),
        "rank_given": agreement(right["given"], right["true"]),
        "regret": 100 * float(right["true"].max() - chosen) / said.shape[1],
    }


METRICS = (
    Metric(
        name="rank_true",
        primary=True,
        bounds=(-1, 1),
        title="agreement (Kendall's tau-b) of the order of ten models after the review with their "
        "order by the true labels",
    ),
    Metric(
        name="rank_stability",
        direction="none",
        bounds=(-1, 1),
        title="agreement of the order after the review with the order by the given labels",
    ),
    Metric(
        name="rank_given",
        direction="none",
        bounds=(-1, 1),
        title="anchor: agreement of the order by the given labels with that by the true ones",
    ),
    Metric(
        name="regret",
        direction="min",
        unit="points",
        bounds=(0, 100),
        title="true accuracy of the best model minus that of the model that leads after the review",
    ),
    Metric(
        name="ap",
        unit="%",
        bounds=(0, 100),
        title="average precision of the suspicion; chance is the rate of wrong labels",
    ),
    Metric(
        name="auroc",
        unit="%",
        bounds=(0, 100),
        chance=50,
        title="area under the ROC curve of the suspicion",
    ),
    Metric(
        name="precision_at_k",
        unit="%",
        bounds=(0, 100),
        title="wrong labels among the rows that are reviewed, ties counted by their mean",
    ),
    Metric(
        name="lift_1",
        bounds=(0, None),
        title="wrong labels among the most suspicious 1 % over their share of all rows",
    ),
)

REFERENCES = (
    Reference(name="random", kind="low"),
    Reference(name="flag-none", kind="control"),
    Reference(
        name="true-errors",
        kind="high",
        title="Flags exactly the wrong labels",
        solve="flag_true_errors",
    ),
)
