"""Noisy labels on the 8x8 digits."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import DEFAULT_VARIANTS, METRICS, REFERENCES
from ._task import NoisyLabelTask


class NoisyDigits(NoisyLabelTask):
    """1,397 digits with corrupted labels, 400 clean ones to judge by."""

    card: ClassVar = TaskCard(
        name="noisy-digits",
        title="Digits (8x8) with corrupted training labels",
        track="noisy-labels",
        datasets=("digits",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants=DEFAULT_VARIANTS, seeds=5, timeout=300),
        },
        budget="60 epochs of batch 128; each net of a method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    n_test: ClassVar = 400
