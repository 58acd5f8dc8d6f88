"""What the cards of the track's tasks share."""

from __future__ import annotations

from bench import Metric, Reference

FRACTIONS = (0.1, 0.2, 0.3, 0.5, 0.8)
HELD_OUT = "scored on held-out training rows by their given labels"
NAMED = (10, 20, 30, 50, 80)
"""Shares, in percent, whose accuracy is a metric of its own."""


REST = (
    Metric(
        name="auc_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        title="held-out training rows predicted as labelled, mean over the log of the share kept",
    ),
    Metric(name="acc_10", unit="%", bounds=(0, 100), title="accuracy with 10 % of the rows"),
    Metric(name="acc_20", unit="%", bounds=(0, 100), title="accuracy with 20 %"),
    Metric(name="acc_30", unit="%", bounds=(0, 100), title="accuracy with 30 %"),
    Metric(name="acc_50", unit="%", bounds=(0, 100), title="accuracy with 50 %"),
    Metric(name="acc_80", unit="%", bounds=(0, 100), title="accuracy with 80 %"),
    Metric(
        name="acc_full",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="accuracy with all rows, equally many steps",
    ),
    Metric(
        name="gain_20",
        unit="points",
        bounds=(-100, 100),
        title="acc_20 less that of random rows of the same seed",
    ),
    Metric(
        name="gain_50",
        unit="points",
        bounds=(-100, 100),
        title="acc_50 less that of random rows of the same seed",
    ),
    Metric(
        name="enough",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="smallest share kept that comes within a point of all rows",
    ),
    Metric(
        name="noise_20",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="wrongly labelled among the 20 % kept",
    ),
    Metric(
        name="score_passes",
        direction="min",
        unit="passes",
        bounds=(0, None),
        title="forward and backward visits a row that choosing took",
    ),
)
"""All but the area that sorts the board, whose chance depends on the data."""

METRICS = (
    Metric(
        name="auc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="test accuracy, mean over the log of the share kept, .1 to .8",
    ),
    *REST,
)
"""Of data with ten classes of equal size."""


REFERENCES = (
    Reference(name="random", kind="low"),
    Reference(
        name="clean-rows",
        kind="high",
        title="All rows at every share, with their true labels",
        solve="take_clean_rows",
    ),
)
