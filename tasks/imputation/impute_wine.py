"""Holes in a table of wines."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._task import BUDGET, METRICS, PRESETS, REFERENCES, ImputationTask


class ImputeWine(ImputationTask):
    """178 wines of 13 measures."""

    card: ClassVar = TaskCard(
        name="impute-wine",
        title="Holes in a table of wines",
        track="imputation",
        datasets=("wine",),
        libraries=("scipy", "sklearn"),
        metrics=METRICS,
        presets=PRESETS,
        budget=BUDGET,
        inputs="table",
        references=REFERENCES,
    )
    source: ClassVar = "wine"
