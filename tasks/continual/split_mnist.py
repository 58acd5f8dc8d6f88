"""Digits of MNIST, two classes at a time."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import SplitTask


class SplitMnist(SplitTask):
    """Five tasks of two digits, 300 rows of each digit; one head of ten outputs."""

    card: ClassVar = TaskCard(
        name="split-mnist",
        title="MNIST, two classes at a time",
        track="continual",
        datasets=("mnist5k",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"online": {}},
                params={"a_class": 30, "memory": 20, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"online": {}}, seeds=5, timeout=300),
        },
        budget="each batch of 10 once; a store of 200 rows for methods with one",
        offers={"memory": {}, "task-id": {}},
        tuning={"holdout": 0.25},
        references=REFERENCES,
    )
    source: ClassVar = "mnist5k"

    a_class: Annotated[int, Meta(ge=2)] = 300
    """Training rows of each class."""
    memory: Annotated[int, Meta(ge=0)] = 200
    """Rows that a method with a store may keep."""
