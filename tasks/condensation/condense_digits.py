"""Condensing the 8x8 digits."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, Reference, TaskCard

from ._digits import DEFAULT, SMOKE
from ._metrics import METRICS
from ._task import CondensationTask


class CondenseDigits(CondensationTask):
    """1,295 digits of 8x8 in one to ten images a class; 359 to judge by,
    143 to fit temperatures on.
    """

    card: ClassVar = TaskCard(
        name="condense-digits",
        title="Digits (8x8) in one to ten images a class",
        track="condensation",
        datasets=("digits",),
        metrics=METRICS,
        presets={
            "smoke": SMOKE,
            "default": DEFAULT,
            "extended": Preset(
                variants={
                    "ipc1": {"ipc": 1},
                    "ipc3": {"ipc": 3, "updates": 240},
                    "ipc5": {"ipc": 5, "updates": 320},
                    "ipc10": {"ipc": 10, "updates": 480},
                },
                params={"architectures": ["mlp", "resnet", "vit"], "nets_aug": 5},
                seeds=3,
                timeout=900,
            ),
        },
        budget="ipc stored images a class; 120, 240, 320, 480 changes of one, three, five, ten "
        "images a class; 32 real images a class in each",
        tuning={"holdout": 0.2},
        references=(
            Reference(name="random", kind="low"),
            Reference(
                name="full-data", kind="high", title="All training images", solve="full_data"
            ),
        ),
    )
    source: ClassVar = "digits"
