"""Noisy labels on five thousand MNIST digits."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import DEFAULT_VARIANTS, METRICS, REFERENCES
from ._task import NoisyLabelTask


class NoisyMnist(NoisyLabelTask):
    """4,000 MNIST digits with corrupted labels, 1,000 clean ones to judge by."""

    card: ClassVar = TaskCard(
        name="noisy-mnist",
        title="MNIST (5,000 digits) with corrupted training labels",
        track="noisy-labels",
        datasets=("mnist5k",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={"n_train": 300, "epochs": 3, "lr": 0.02},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants=DEFAULT_VARIANTS, params={"epochs": 30, "lr": 0.02}, seeds=3, timeout=300
            ),
        },
        budget="30 epochs of batch 128; each net of a method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "mnist5k"
    n_test: ClassVar = 1000
