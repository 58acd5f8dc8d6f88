"""Few digits."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import PICTURES, REFERENCES
from ._task import PictureTask


class FewDigits(PictureTask):
    """100 to 500 digits to learn from, 797 to judge by; every seed draws them."""

    card: ClassVar = TaskCard(
        name="few-digits",
        title="Few digits (8x8)",
        track="recipes",
        datasets=("digits", "patches"),
        metrics=PICTURES,
        presets={
            "smoke": Preset(
                variants={"n100": {"n_train": 100}},
                params={"epochs": 5, "widths": [64]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"n100": {"n_train": 100}, "n200": {"n_train": 200}},
                seeds=5,
                timeout=300,
            ),
            "extended": Preset(
                variants={
                    "n100": {"n_train": 100},
                    "n200": {"n_train": 200},
                    "n500": {"n_train": 500},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="200 epochs of batch 32; what a method spends beyond one pass a step is counted",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    n_test: ClassVar = 797
    top: ClassVar = 16.0
