"""Tumours of which half of the cells are hidden."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, Setup, TaskCard

from ._task import ACCURACY, HIGH, LOW, MissingTask, Rows, split


class MissingBreastCancer(MissingTask):
    """455 tumours to train on, 114 to judge by; many of the 30 measures are close to functions of
    each other.
    """

    card: ClassVar = TaskCard(
        name="missing-breast-cancer",
        title="Tumours with half of their cells",
        track="missing-data",
        datasets=("breast-cancer",),
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
        return split(run, "breast-cancer", 114)
