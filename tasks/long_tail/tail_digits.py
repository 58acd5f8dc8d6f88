"""Digits with a long tail of classes."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import REFERENCES, TEN
from ._task import LongTailTask


class TailDigits(LongTailTask):
    """95 digits of one class and a few of another; every seed draws which."""

    card: ClassVar = TaskCard(
        name="tail-digits",
        title="Digits (8x8) with a long tail of classes",
        track="long-tail",
        datasets=("digits",),
        metrics=TEN,
        presets={
            "smoke": Preset(
                variants={"r30": {"ratio": 30.0}},
                params={"epochs": 5, "widths": [64]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "r10": {"ratio": 10.0},
                    "r30": {"ratio": 30.0},
                    "step30": {"ratio": 30.0, "shape": "step"},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="100 epochs of batch 64; what a method spends beyond one pass a step is counted",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    per_class: ClassVar = 73
