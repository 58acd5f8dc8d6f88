"""What the cards of the track's tasks share."""

from __future__ import annotations

from bench import Metric, Reference

REFERENCES = (
    Reference(name="ce", kind="low"),
    Reference(
        name="clean-labels",
        kind="high",
        title="The null method trained on the true labels",
        solve="train_on_clean_labels",
    ),
)


OF_ROWS = (
    Metric(
        name="memorised",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="wrongly labelled rows predicted as labelled",
    ),
    Metric(
        name="recovered", unit="%", bounds=(0, 100), title="wrongly labelled rows predicted right"
    ),
    Metric(
        name="clean_fit", unit="%", bounds=(0, 100), title="rightly labelled rows predicted right"
    ),
    Metric(name="acc_last10", unit="%", bounds=(0, 100), title="mean over the last ten epochs"),
)

JUDGED = (
    Metric(
        name="acc_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        title="held-out training rows predicted as labelled",
    ),
    Metric(
        name="acc_ensemble",
        unit="%",
        bounds=(0, 100),
        title="accuracy of all nets together, where a method has several",
    ),
    Metric(
        name="fix_rate", unit="%", bounds=(0, 100), title="wrong labels that the method corrects"
    ),
    Metric(
        name="keep_rate",
        unit="%",
        bounds=(0, 100),
        title="right labels that the method leaves alone",
    ),
    Metric(name="label_acc", unit="%", bounds=(0, 100), title="corrected labels that are right"),
    Metric(
        name="select_prec", unit="%", bounds=(0, 100), title="rows kept that are rightly labelled"
    ),
    Metric(
        name="select_rec", unit="%", bounds=(0, 100), title="rightly labelled rows that are kept"
    ),
)
"""Figures of a method's solution, and of its validation."""

REST = (
    Metric(
        name="drop", direction="min", unit="points", bounds=(-100, 100), title="best minus last"
    ),
    *OF_ROWS,
    Metric(
        name="acc_best",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="best epoch, chosen on the test set: an oracle, never ranked",
    ),
    *JUDGED,
)
"""All but the accuracy that sorts the board, whose chance depends on the data."""

METRICS = (
    Metric(
        name="acc_last",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="clean test accuracy after the last epoch, of the first net",
    ),
    *REST,
)
"""Of data with ten classes of equal size."""


DEFAULT_VARIANTS = {
    "sym40": {"noise": "sym", "rate": 0.4},
    "asym40": {"noise": "asym", "rate": 0.4},
    "pair45": {"noise": "pair", "rate": 0.45},
    "clean": {"noise": "sym", "rate": 0.0},
}
