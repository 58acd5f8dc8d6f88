"""Holes in a table of generated clusters."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._task import BUDGET, METRICS, PRESETS, REFERENCES, ImputationTask


class ImputeClusters(ImputationTask):
    """1,500 rows of 20 columns, ten of which have nothing to do with any other."""

    card: ClassVar = TaskCard(
        name="impute-clusters",
        title="Holes in a table of generated clusters",
        track="imputation",
        datasets=("clusters",),
        libraries=("scipy", "sklearn"),
        metrics=METRICS,
        presets=PRESETS,
        budget=BUDGET,
        inputs="table",
        references=REFERENCES,
    )
    source: ClassVar = "clusters"
