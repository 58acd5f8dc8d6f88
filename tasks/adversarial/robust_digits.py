"""Robust training on the 8x8 digits."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import AdversarialTask


class RobustDigits(AdversarialTask):
    """700 digits to train on, 400 to attack."""

    card: ClassVar = TaskCard(
        name="robust-digits",
        title="Digits (8x8) under attack",
        track="adversarial",
        datasets=("digits",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"eps15": {"eps": 0.15}},
                params={"n_train": 200, "epochs": 3, "attack_steps": 10, "queries": 20},
                seeds=1,
                timeout=120,
            ),
            "default": Preset(
                variants={
                    "eps15": {"eps": 0.15, "epochs": 25},
                    "eps25": {"eps": 0.25, "epochs": 40},
                },
                seeds=5,
                timeout=600,
            ),
        },
        budget="25 or 40 epochs of batch 64; each pass of an attack costs as much as one of the "
        "training",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    brightest: ClassVar = 16.0
    n_test: ClassVar = 400
