"""Friedman's first function, measured by a sensor that reports too little
(doi:10.1214/aos/1176347963).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard

from ._task import METRICS, REFERENCES, SensorTask


class SensorFriedman(SensorTask):
    """Ten inputs, uniform in [0, 1], of which five count: y = 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 +
    10 x4 + 5 x5 + noise; half of the training targets are too low.
    """

    card: ClassVar = TaskCard(
        name="sensor-friedman",
        title="Friedman's function, half of the targets too low",
        track="noisy-regression",
        inputs="table",
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"half": {}},
                params={"n_train": 200, "n_test": 100, "epochs": 3, "widths": [16]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"half": {}, "fifth": {"share": 0.2}}, seeds=5, timeout=300),
        },
        budget="30 epochs of batch 128, 600 updates",
        references=REFERENCES,
        paper="doi:10.1214/aos/1176347963",
    )
    n_train: Annotated[int, Meta(ge=2)] = 2500
    """Training rows."""
    n_test: Annotated[int, Meta(ge=3)] = 2000
    """Test rows."""
    noise: Annotated[float, Meta(ge=0)] = 1.0
    """Standard deviation of the noise that clean targets have too."""

    def rows(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Draw rows."""
        drawn = run.numpy_generator("split")
        total = self.n_train + self.n_test
        x = torch.from_numpy(drawn.random((total, 10)))
        y = 10 * (torch.pi * x[:, 0] * x[:, 1]).sin() + 20 * (x[:, 2] - 0.5).square()
        y += 10 * x[:, 3] + 5 * x[:, 4]
        y += self.noise * torch.from_numpy(drawn.standard_normal(total))
        return x, y, self.n_train
