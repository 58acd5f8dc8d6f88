"""MNIST with a long tail of classes."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, TaskCard

from ._metrics import REFERENCES, TEN
from ._task import LongTailTask


class TailMnist(LongTailTask):
    """290 digits of one class and 2 of another; every seed draws which."""

    card: ClassVar = TaskCard(
        name="tail-mnist",
        title="MNIST with a long tail of classes",
        track="long-tail",
        datasets=("mnist5k",),
        metrics=TEN,
        presets={
            "smoke": Preset(
                variants={"r100": {"ratio": 100.0}},
                params={"epochs": 2, "widths": [64]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"r100": {"ratio": 100.0}},
                params={"epochs": 60},
                seeds=5,
                timeout=300,
            ),
        },
        budget="60 epochs of batch 64; what a method spends beyond one pass a step is counted",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "mnist5k"
    per_class: ClassVar = 200

    largest: Annotated[int, Meta(ge=1)] = 290
    """Rows of the largest class."""
