"""Find the wrong ones among the labels of 400 tumours."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask


class ErrorsBreastCancer(LabelErrorTask):
    """Find the wrong ones among the labels of 400 tumours."""

    card: ClassVar = TaskCard(
        name="errors-breast-cancer",
        title="Label errors among tumours",
        track="label-errors",
        datasets=("breast-cancer",),
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
                params={"batch_size": 32, "epochs": 16},
                seeds=3,
                timeout=300,
            ),
        },
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "breast-cancer"
    n_test: ClassVar = 169
