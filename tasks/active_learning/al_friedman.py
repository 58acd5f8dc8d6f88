"""Friedman's function, whose values are asked for."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, Preset, Setup, TaskCard

from ._metrics import NUMBERS, REFERENCES
from ._task import ActiveTask, Pool


class AlFriedman(ActiveTask):
    """Ten inputs, five of which matter: a smoke test, since it tells no methods apart."""

    kind: ClassVar[Literal["labels", "numbers"]] = "numbers"
    outputs: ClassVar[int] = 1
    card: ClassVar = TaskCard(
        name="al-friedman",
        title="Active learning of Friedman's function",
        track="active-learning",
        metrics=NUMBERS,
        presets={
            "smoke": Preset(
                variants={"noise1": {}},
                params={
                    "n_pool": 200,
                    "n_test": 100,
                    "start": 20,
                    "batch": 10,
                    "budget": 20,
                    "steps": 15,
                    "widths": [16, 16],
                    "dropout": 0.0,
                    "optimiser": "adam",
                    "lr": 0.005,
                    "schedule": "linear",
                    "weight_decay": 0.0,
                },
                seeds=1,
                timeout=60,
            ),
        },
        budget="6 rounds of 32 targets; a training takes 250 steps of 64 known rows",
        references=REFERENCES,
        clock_arrays=("asked_s",),
    )
    n_pool: Annotated[int, Meta(ge=1)] = 3000
    """Rows of the pool."""
    n_test: Annotated[int, Meta(ge=1)] = 1000
    """Test rows."""

    def pool(self, run: Setup) -> Pool:
        """Draw rows of the function 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5, with noise
        of 1, a fifth of the values.
        """
        drawn = run.numpy_generator("split", "rows")
        total, n = self.n_pool + self.n_test, self.n_pool
        x = torch.from_numpy(drawn.random((total, 10))).float()
        bend = 10 * (torch.pi * x[:, 0] * x[:, 1]).sin() + 20 * (x[:, 2] - 0.5).square()
        y = bend + 10 * x[:, 3] + 5 * x[:, 4]
        y = (y + torch.from_numpy(drawn.standard_normal(total)).float()) / 5
        x, y = (2 * x - 1).to(run.device), y.to(run.device)
        return Pool(x=x[:n], answers=y[:n], true=y[:n], x_test=x[n:], y_test=y[n:])
