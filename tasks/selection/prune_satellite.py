"""Pruning the table satellite."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._metrics import REFERENCES
from ._table import BUDGET, PRESETS, SATELLITE, TablePruning


class PruneSatellite(TablePruning):
    """4,000 satellite pixels to choose among, 1,000 to judge by."""

    card: ClassVar = TaskCard(
        name="prune-satellite",
        title="The table satellite: which rows to keep",
        track="selection",
        datasets=("satellite",),
        inputs="table",
        metrics=SATELLITE,
        presets=PRESETS,
        budget=BUDGET,
        references=REFERENCES,
        tuning={"holdout": 0.2},
        paper="arXiv:2107.07075",
    )
    source: ClassVar = "satellite"
