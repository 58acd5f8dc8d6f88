"""Noisy labels on the table letter."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._metrics import REFERENCES
from ._metrics_real import LETTER
from ._table import BUDGET, PRESETS, TableTask


class NoisyLetter(TableTask):
    """4,000 printed letters of 26 classes with corrupted labels, 1,000 clean ones to judge by."""

    card: ClassVar = TaskCard(
        name="noisy-letter",
        title="Printed letters (16 features) with corrupted training labels",
        track="noisy-labels",
        datasets=("letter",),
        inputs="table",
        metrics=LETTER,
        presets=PRESETS,
        budget=BUDGET,
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "letter"
    n_test: ClassVar = 1000
