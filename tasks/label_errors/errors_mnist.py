"""Find the wrong ones among the labels of 2,500 MNIST digits."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask


class ErrorsMnist(LabelErrorTask):
    """Find the wrong ones among the labels of 2,500 MNIST digits."""

    card: ClassVar = TaskCard(
        name="errors-mnist",
        title="Label errors among five thousand MNIST digits",
        track="label-errors",
        datasets=("mnist5k",),
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"asym40": {"noise": "asym", "rate": 0.4}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"asym40": {"noise": "asym", "rate": 0.4}},
                params={"n_train": 2500, "epochs": 10, "lr": 0.02},
                seeds=2,
                timeout=600,
            ),
        },
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "mnist5k"
    n_test: ClassVar = 1000
