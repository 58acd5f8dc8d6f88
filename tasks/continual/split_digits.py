"""Digits of 8x8 pixels, two classes at a time."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import SplitTask


class SplitDigits(SplitTask):
    """Five tasks of two digits, in an order of the seed's; one head of ten outputs."""

    card: ClassVar = TaskCard(
        name="split-digits",
        title="Digits, two classes at a time",
        track="continual",
        datasets=("digits",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"online": {}},
                params={"a_class": 20, "memory": 20, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "online": {},
                    "passes5": {"epochs": 5},
                    "memory50": {"memory": 50},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="each batch of 10 once (passes5: five passes over a task); a store of 100 rows "
        "(memory50: 50) for methods with one",
        offers={"memory": {}, "task-id": {}},
        tuning={"holdout": 0.25},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
