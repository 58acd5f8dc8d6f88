"""A curved function of two inputs."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import Examples

from ._task import METRICS, REFERENCES, RegressionTask


class Waves(RegressionTask):
    """y = 3 sin(4 x1) cos(4 x2) + noise, for inputs that are uniform in [-1, 1]; a mixture of far
    rows has a target that the function does not have there.
    """

    card: ClassVar = TaskCard(
        name="waves",
        title="A curved function of two inputs",
        track="regression",
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"noise01": {"noise": 0.1}},
                params={"n_train": 60, "n_more": 60, "epochs": 3, "widths": [16]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"noise01": {"noise": 0.1}}, seeds=5, timeout=300),
        },
        budget="60 epochs of batch 32",
        tuning={"holdout": 0.25},
        references=REFERENCES,
    )
    n_test: ClassVar = 1800

    noise: Annotated[float, Meta(ge=0)] = 0.1
    """Standard deviation of the noise."""

    def rows(self, run: Setup) -> Examples:
        """Draw rows."""
        generator = run.numpy_generator("split", "rows")
        count = self.n_train + self.n_more + self.n_test
        x = 2 * torch.from_numpy(generator.random((count, 2))) - 1
        noise = torch.from_numpy(generator.standard_normal(count))
        return Examples(x, 3 * (4 * x[:, 0]).sin() * (4 * x[:, 1]).cos() + self.noise * noise, 0)
