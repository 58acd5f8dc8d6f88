"""Clusters of which half of the cells are hidden."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, Setup, TaskCard

from ._task import ACCURACY, HIGH, LOW, MissingTask, Rows, split


class MissingClusters(MissingTask):
    """1,200 rows to train on, 300 to judge by, 4 classes of two clusters each."""

    card: ClassVar = TaskCard(
        name="missing-clusters",
        title="Clusters with half of their cells",
        track="missing-data",
        datasets=("clusters",),
        libraries=("sklearn",),
        metrics=ACCURACY,
        presets={
            "smoke": Preset(
                variants={"mcar": {"mechanism": "mcar"}},
                params={"epochs": 2, "widths": [8], "steps": 20},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"mcar": {"mechanism": "mcar"}, "mnar": {"mechanism": "mnar"}},
                seeds=5,
                timeout=300,
            ),
        },
        budget="30 epochs of the standard perceptron, whatever fills or reads the holes",
        inputs="table",
        references=(LOW, HIGH),
    )

    def complete_rows(self, run: Setup) -> Rows:
        """Split the rows, each class in proportion."""
        return split(run, "clusters", 300)
