"""Noisy labels on the table satellite."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._metrics import REFERENCES
from ._metrics_real import SATELLITE
from ._table import BUDGET, PRESETS, TableTask


class NoisySatellite(TableTask):
    """4,000 satellite pixels with corrupted labels, 1,000 clean ones to judge by."""

    card: ClassVar = TaskCard(
        name="noisy-satellite",
        title="Satellite pixels (6 kinds of soil) with corrupted training labels",
        track="noisy-labels",
        datasets=("satellite",),
        inputs="table",
        metrics=SATELLITE,
        presets=PRESETS,
        budget=BUDGET,
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "satellite"
    n_test: ClassVar = 1000
