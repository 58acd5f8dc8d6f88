"""How scores are judged. Percent where a card says so; None where there is nothing to count."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from bench import Metric, Reference

ACC = Metric(
    name="acc",
    primary=True,
    unit="%",
    bounds=(0, 100),
    title="test accuracy, a row with a score above 0 taken as positive",
)
AUROC = Metric(
    name="auroc",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title="area under the ROC curve on test rows, which needs no threshold",
)
F1 = Metric(name="f1", unit="%", bounds=(0, 100), title="F1 of the positive class on test rows")
BIAS = Metric(
    name="bias",
    direction="none",
    unit="%",
    bounds=(-100, 100),
    title="share of test rows said to be positive minus the share that is",
)
PROPENSITY = Metric(
    name="propensity_mae",
    direction="min",
    unit="%",
    bounds=(0, 100),
    title="mean distance of estimated and true propensities over the training rows; of methods "
    "that estimate them",
)
MAP = Metric(
    name="map",
    primary=True,
    unit="%",
    bounds=(0, 100),
    title="mean over labels of the average precision on test rows",
)
BINARY = (ACC, AUROC, F1, BIAS, PROPENSITY)
SEVERAL = (MAP, F1, BIAS)

REFERENCES = (
    Reference(name="unlabeled-negative", kind="low", title="what is not known is negative"),
    Reference(
        name="pn", kind="high", title="the baseline with all true labels", solve="train_on_labels"
    ),
)


def accuracy(z: np.ndarray, y: np.ndarray) -> float:
    """Return the accuracy of scores (n,) against labels (n,), bool, in percent."""
    return 100 * float(((z > 0) == y).mean())


def auroc(z: np.ndarray, y: np.ndarray) -> float | None:
    """Return the area under the ROC curve in percent; None where one class is absent."""
    return 100 * float(roc_auc_score(y, z)) if 0 < y.sum() < len(y) else None


def f1(z: np.ndarray, y: np.ndarray) -> float:
    """Return F1 of the positive class in percent; 0 where nothing is said or is positive."""
    said = z > 0
    both = int(said.sum()) + int(y.sum())
    return 200 * float((said & y).sum()) / both if both else 0.0


def bias(z: np.ndarray, y: np.ndarray) -> float:
    """Return the share said to be positive minus the share that is, in points."""
    return 100 * (float((z > 0).mean()) - float(y.mean()))


def mean_precision(z: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over columns (n, L) of the average precision in percent; columns without a
    positive row do not count.
    """
    columns = [at for at in range(y.shape[1]) if y[:, at].any()]
    return 100 * float(np.mean([average_precision_score(y[:, at], z[:, at]) for at in columns]))
