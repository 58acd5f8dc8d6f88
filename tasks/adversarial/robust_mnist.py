"""Robust training of a convolutional net on handwritten digits."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import AdversarialTask


class RobustMnist(AdversarialTask):
    """1,000 digits to train a convolutional net on, 400 to attack."""

    card: ClassVar = TaskCard(
        name="robust-mnist",
        title="MNIST (5,000 digits) under attack",
        track="adversarial",
        datasets=("mnist5k",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"eps20": {"eps": 0.2}},
                params={
                    "n_train": 100,
                    "epochs": 1,
                    "steps": 2,
                    "net": "mlp",
                    "widths": [32],
                    "attack_steps": 5,
                    "queries": 10,
                },
                seeds=1,
                timeout=120,
            ),
            "extended": Preset(
                variants={"eps20": {"eps": 0.2}},
                params={"n_train": 1000, "net": "cnn", "epochs": 20},
                seeds=5,
                timeout=3600,
            ),
        },
        budget="20 epochs of batch 64; each pass of an attack costs as much as one of the training",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "mnist5k"
    brightest: ClassVar = 255.0
    n_test: ClassVar = 400
