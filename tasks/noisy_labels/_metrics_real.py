"""The metrics of tasks on real data: those of the track's other tasks, but for chance, and for the
rows that a curve looks at.
"""

from __future__ import annotations

from bench import Metric

from ._metrics import JUDGED, OF_ROWS, REST

FASHION = (
    Metric(
        name="acc_last",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="clean test accuracy after the last epoch, of the first net",
    ),
    Metric(
        name="drop",
        direction="min",
        unit="points",
        bounds=(-100, 100),
        title="best minus last; all epochs but the last ten are scored on 2,000 test rows",
    ),
    *OF_ROWS,
    Metric(
        name="acc_best",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="best epoch, chosen on the test set: an oracle, never ranked; all epochs but the "
        "last ten are scored on 2,000 test rows",
    ),
    *JUDGED,
)

LETTER = (
    Metric(
        name="acc_last",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=100 / 26,
        title="clean test accuracy after the last epoch, of the first net",
    ),
    *REST,
)

SATELLITE = (
    Metric(
        name="acc_last",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=153300 / 6435,
        title="clean test accuracy after the last epoch, of the first net",
    ),
    *REST,
)
"""By chance a predictor says the most frequent of the classes, with 1,533 of 6,435 rows."""

SEGMENT = (
    Metric(
        name="acc_last",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=100 / 7,
        title="clean test accuracy after the last epoch, of the first net",
    ),
    *REST,
)
