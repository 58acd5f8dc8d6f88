"""The metrics of tasks of a hundred classes: those of the track's other tasks, but for chance."""

from __future__ import annotations

from bench import Metric

from ._metrics import REST

METRICS = (
    Metric(
        name="acc_last",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=1,
        title="clean test accuracy after the last epoch, of the first net",
    ),
    *REST,
)
