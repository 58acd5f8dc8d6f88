"""Find the wrong ones among the labels of 1,500 time series."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Preset, TaskCard
from bench.training.data import Examples

from ..noisy_labels._noise import asym
from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask

LOOK_ALIKES = {2: 4, 4: 2, 3: 5, 5: 3}
"""A trend and a shift in the same direction."""


class ErrorsCharts(LabelErrorTask):
    """Find the wrong ones among the labels of 1,500 control charts."""

    card: ClassVar = TaskCard(
        name="errors-charts",
        title="Label errors among time series",
        track="label-errors",
        datasets=("control-charts",),
        inputs="table",
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
                params={"n_train": 1500, "epochs": 16},
                seeds=3,
                timeout=300,
            ),
        },
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "control-charts"
    n_test: ClassVar = 1000

    def given(
        self, train: Examples, rows: np.ndarray, x: torch.Tensor, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the given labels; ``asym`` exchanges trends and shifts of one direction."""
        if self.noise == "asym":
            y = train.y.cpu().numpy()[rows]
            return asym(y, self.rate, train.classes, generator, LOOK_ALIKES)
        return super().given(train, rows, x, generator)
