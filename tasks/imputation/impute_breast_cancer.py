"""Holes in a table of tumours."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._task import BUDGET, METRICS, PRESETS, REFERENCES, ImputationTask


class ImputeBreastCancer(ImputationTask):
    """569 tumours of 30 measures, many of them close to functions of each other."""

    card: ClassVar = TaskCard(
        name="impute-breast-cancer",
        title="Holes in a table of tumours",
        track="imputation",
        datasets=("breast-cancer",),
        libraries=("scipy", "sklearn"),
        metrics=METRICS,
        presets=PRESETS,
        budget=BUDGET,
        inputs="table",
        references=REFERENCES,
    )
    source: ClassVar = "breast-cancer"
