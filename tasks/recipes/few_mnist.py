"""Few digits of MNIST."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import PICTURES, REFERENCES
from ._task import PictureTask


class FewMnist(PictureTask):
    """500 digits of MNIST to learn from, 2,000 to judge by; every seed draws them."""

    card: ClassVar = TaskCard(
        name="few-mnist",
        title="Few digits of MNIST",
        track="recipes",
        datasets=("mnist5k", "patches"),
        metrics=PICTURES,
        presets={
            "smoke": Preset(
                variants={"n500": {"n_train": 100}},
                params={"epochs": 3, "widths": [64]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"n500": {"n_train": 500}},
                params={"epochs": 60},
                seeds=5,
                timeout=300,
            ),
        },
        budget="60 epochs of batch 32; what a method spends beyond one pass a step is counted",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "mnist5k"
    n_test: ClassVar = 2000
