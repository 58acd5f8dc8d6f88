"""How labels are judged, and the anchors of the track."""

from __future__ import annotations

import numpy as np

from bench import Metric, Reference

METRICS = (
    Metric(
        name="end_acc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        title="test accuracy of the classifier that is trained on the labels",
    ),
    Metric(
        name="label_acc",
        unit="%",
        bounds=(0, 100),
        title="share of the rows with a vote whose likeliest class is true; classes that are "
        "equally likely count in part",
    ),
    Metric(
        name="brier",
        direction="min",
        bounds=(0, 2),
        title="squared distance of the probabilities from the true class, added up over the "
        "classes, mean over the rows with a vote",
    ),
    Metric(
        name="coverage",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="share of the rows with a vote",
    ),
    Metric(
        name="gap_closed",
        unit="%",
        bounds=(None, None),
        title="share of the way from the majority's classifier to that of true labels",
    ),
)
REFERENCES = (
    Reference(name="majority", kind="low", title="shares of the votes"),
    Reference(
        name="true-labels", kind="high", title="true labels of rows with a vote", solve="tell"
    ),
)
_TIED = 1e-6


def label_accuracy(proba: np.ndarray, y: np.ndarray) -> float:
    """Return the share of right labels in percent; of t classes that are likeliest together, the
    true one counts 1 / t.

    Args:
        proba: probabilities (n, C).
        y: true labels (n,).
    """
    top = proba >= proba.max(1, keepdims=True) - _TIED
    return 100 * float((top[np.arange(len(y)), y] / top.sum(1)).mean())


def brier(proba: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over the rows of the squared distance from the true class, in [0, 2]."""
    wanted = np.eye(proba.shape[1])[y]
    return float(((proba - wanted) ** 2).sum(1).mean())
