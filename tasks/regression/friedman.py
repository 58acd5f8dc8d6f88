"""Friedman's first function (doi:10.1214/aos/1176347963)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import Examples

from ._task import METRICS, REFERENCES, RegressionTask


class Friedman(RegressionTask):
    """Ten inputs, uniform in [0, 1], of which five count: y = 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 +
    10 x4 + 5 x5 + noise.
    """

    card: ClassVar = TaskCard(
        name="friedman",
        title="Friedman's function of ten inputs",
        track="regression",
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"noise1": {"noise": 1.0}},
                params={"n_train": 60, "n_more": 60, "epochs": 3, "widths": [16]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"noise1": {"noise": 1.0}}, seeds=5, timeout=300),
        },
        budget="60 epochs of batch 32",
        tuning={"holdout": 0.25},
        references=REFERENCES,
        paper="doi:10.1214/aos/1176347963",
    )
    n_test: ClassVar = 1800

    noise: Annotated[float, Meta(ge=0)] = 1.0
    """Standard deviation of the noise."""

    def rows(self, run: Setup) -> Examples:
        """Draw rows."""
        generator = run.numpy_generator("split", "rows")
        count = self.n_train + self.n_more + self.n_test
        x = torch.from_numpy(generator.random((count, 10)))
        first = 10 * (torch.pi * x[:, 0] * x[:, 1]).sin() + 20 * (x[:, 2] - 0.5).square()
        noise = torch.from_numpy(generator.standard_normal(count))
        return Examples(x, first + 10 * x[:, 3] + 5 * x[:, 4] + self.noise * noise, 0)
