"""Find the wrong ones among the labels of 5,000 pictures of clothing, or of all 60,000."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ..noisy_labels._fashion import FashionTask
from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask


class ErrorsFashion(LabelErrorTask, FashionTask):
    """Find the wrong ones among the labels of 5,000 pictures of clothing, or of all 60,000."""

    card: ClassVar = TaskCard(
        name="errors-fashion",
        title="Label errors in Fashion-MNIST",
        track="label-errors",
        datasets=("fashion-mnist",),
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym20": {"noise": "sym", "rate": 0.2}},
                params={"n_train": 300, "epochs": 3, "lr": 0.02},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "sym20": {"noise": "sym", "rate": 0.2},
                    "asym40": {"noise": "asym", "rate": 0.4},
                },
                params={"n_train": 5000, "epochs": 10, "lr": 0.02},
                seeds=3,
                timeout=600,
            ),
            "extended": Preset(
                variants={
                    "sym20": {"noise": "sym", "rate": 0.2},
                    "asym40": {"noise": "asym", "rate": 0.4},
                },
                params={"epochs": 10, "lr": 0.02},
                seeds=3,
                timeout=3600,
            ),
        },
        test_set="official",
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
