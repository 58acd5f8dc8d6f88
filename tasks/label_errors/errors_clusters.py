"""Find the wrong ones among the labels of 1,000 generated rows."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask


class ErrorsClusters(LabelErrorTask):
    """Find the wrong ones among the labels of 1,000 generated rows."""

    card: ClassVar = TaskCard(
        name="errors-clusters",
        title="Label errors among generated clusters",
        track="label-errors",
        datasets=("clusters",),
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym20": {"noise": "sym", "rate": 0.2}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "sym20": {"noise": "sym", "rate": 0.2},
                    "idn20": {"noise": "idn", "rate": 0.2},
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
    source: ClassVar = "clusters"
    n_test: ClassVar = 500
