"""How a judgement of labels is scored. Percent throughout; None where there is nothing to count.

``bad`` (N,) bool says which labels are wrong, ``suspicion`` (N,) is any real numbers, ``flags``
(N,) bool.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from bench import Metric, Reference


def ranking(suspicion: np.ndarray, bad: np.ndarray) -> dict[str, float | None]:
    """Score an order of the rows.

    Among rows of equal suspicion every order is held equally likely.
    """
    errors, rows = int(bad.sum()), len(bad)
    if errors in (0, rows):
        return dict.fromkeys(("ap", "auroc", "precision_at_k", "lift_1"))
    ranks = np.unique(suspicion, return_inverse=True)[1]  # infinite values keep their place
    top = int(np.ceil(0.01 * rows))
    return {
        "ap": 100 * float(average_precision_score(bad, ranks)),
        "auroc": 100 * float(roc_auc_score(bad, ranks)),
        "precision_at_k": 100 * hits(ranks, bad, errors) / errors,
        "lift_1": hits(ranks, bad, top) / top / (errors / rows),
    }


def hits(ranks: np.ndarray, bad: np.ndarray, k: int) -> float:
    """Return how many wrong labels are expected among the ``k`` rows of
    the highest ranks, ties broken at random.
    """
    limit = np.sort(ranks)[-k]
    above, tied = ranks > limit, ranks == limit
    return float(bad[above].sum() + bad[tied].sum() * (k - above.sum()) / tied.sum())


def flagging(flags: np.ndarray, bad: np.ndarray) -> dict[str, float | None]:
    """Score flags: of the errors, and weighted over errors and right
    labels as in AQuA (a class nobody says or has counts 0).
    """
    found, errors, flagged, rows = (
        int((flags & bad).sum()),
        int(bad.sum()),
        int(flags.sum()),
        len(bad),
    )
    return {
        "precision": 100 * found / flagged if flagged else None,
        "recall": 100 * found / errors if errors else None,
        "f1": 200 * found / (flagged + errors) if errors else None,
        "f1_weighted": 100 * float(f1_score(bad, flags, average="weighted", zero_division=0)),
        "flagged": 100 * flagged / rows,
        "rate_error": 100 * abs(flagged - errors) / rows,
    }


def classification(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Score a classifier on clean labels: accuracy, and F1 of each class weighted by its size."""
    return {
        "acc": 100 * float((predicted == true).mean()),
        "f1": 100 * float(f1_score(true, predicted, average="weighted", zero_division=0)),
    }


METRICS = (
    Metric(
        name="ap",
        primary=True,
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
    Metric(name="f1", unit="%", bounds=(0, 100), title="F1 of the flags for wrong labels"),
    Metric(
        name="f1_weighted",
        unit="%",
        bounds=(0, 100),
        title="F1 of the flags, weighted over wrong and right labels (AQuA); high for flagging "
        "nothing",
    ),
    Metric(
        name="precision_at_k",
        unit="%",
        bounds=(0, 100),
        title="wrong labels among the k most suspicious rows, k the number of wrong labels",
    ),
    Metric(
        name="lift_1",
        bounds=(0, None),
        title="wrong labels among the most suspicious 1 % over their share of all rows",
    ),
    Metric(name="precision", unit="%", bounds=(0, 100), title="flagged rows whose label is wrong"),
    Metric(name="recall", unit="%", bounds=(0, 100), title="wrong labels that are flagged"),
    Metric(
        name="flagged", direction="none", unit="%", bounds=(0, 100), title="rows that are flagged"
    ),
    Metric(
        name="rate_error",
        direction="min",
        unit="points",
        bounds=(0, 100),
        title="flagged share against the true rate, as a distance",
    ),
    Metric(
        name="acc_drop",
        unit="%",
        bounds=(0, 100),
        title="clean test accuracy of a fresh model trained without the flagged rows",
    ),
    Metric(name="f1_drop", unit="%", bounds=(0, 100), title="its F1, weighted over classes"),
    Metric(
        name="acc_relabel",
        unit="%",
        bounds=(0, 100),
        title="accuracy of one trained with flagged labels replaced by an out-of-fold model's",
    ),
    Metric(name="f1_relabel", unit="%", bounds=(0, 100), title="its F1, weighted over classes"),
    Metric(
        name="acc_noisy",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="anchor: accuracy of one trained on all rows as given",
    ),
    Metric(
        name="f1_noisy",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="its F1, weighted over classes",
    ),
    Metric(
        name="acc_oracle",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="anchor: accuracy of one trained without the rows that are wrong",
    ),
    Metric(
        name="f1_oracle",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="its F1, weighted over classes",
    ),
    Metric(
        name="acc_random",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="anchor: accuracy of one trained without as many rows at random (to the nearest "
        "10 %)",
    ),
    Metric(
        name="f1_random",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="its F1, weighted over classes",
    ),
)


REFERENCES = (
    Reference(name="random", kind="low"),
    Reference(name="flag-none", kind="control"),
    Reference(name="flag-all", kind="control"),
    Reference(
        name="true-errors",
        kind="high",
        title="Flags exactly the wrong labels",
        solve="flag_true_errors",
    ),
)
