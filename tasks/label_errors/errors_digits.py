"""Find the wrong ones among the labels of 1,397 digits."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask


class ErrorsDigits(LabelErrorTask):
    """Find the wrong ones among the labels of 1,397 digits."""

    card: ClassVar = TaskCard(
        name="errors-digits",
        title="Label errors among digits (8x8)",
        track="label-errors",
        datasets=("digits",),
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "sym40": {"noise": "sym", "rate": 0.4},
                    "asym40": {"noise": "asym", "rate": 0.4},
                },
                params={"epochs": 16},
                seeds=3,
                timeout=300,
            ),
        },
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    n_test: ClassVar = 400
