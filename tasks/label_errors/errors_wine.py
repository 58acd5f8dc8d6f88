"""Find the wrong ones among the labels of 120 wines."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask


class ErrorsWine(LabelErrorTask):
    """Find the wrong ones among the labels of 120 wines."""

    card: ClassVar = TaskCard(
        name="errors-wine",
        title="Label errors among wines",
        track="label-errors",
        datasets=("wine",),
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym20": {"noise": "sym", "rate": 0.2}},
                params={"batch_size": 32, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"sym20": {"noise": "sym", "rate": 0.2}},
                params={"batch_size": 32, "epochs": 30},
                seeds=3,
                timeout=300,
            ),
        },
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "wine"
    n_test: ClassVar = 58
