"""Robust training on the 8x8 digits with few labels."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import AdversarialTask


class RobustFewLabels(AdversarialTask):
    """70 digits with a label and 630 without to train on, 400 to attack."""

    card: ClassVar = TaskCard(
        name="robust-few-labels",
        title="Digits (8x8) under attack, a tenth of them labelled",
        track="adversarial",
        datasets=("digits",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"tenth": {"labelled": 20}},
                params={"n_train": 200, "epochs": 3, "attack_steps": 10, "queries": 20},
                seeds=1,
                timeout=120,
            ),
            "default": Preset(
                variants={"tenth": {"labelled": 70}},
                params={"epochs": 120},
                seeds=5,
                timeout=600,
            ),
        },
        budget="120 epochs of batch 64; each pass of an attack costs as much as one of training",
        offers={"unlabelled": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    brightest: ClassVar = 16.0
    n_test: ClassVar = 400
