"""Rows of which most are near-copies."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch

from bench import Meta, Preset, Setup, TaskCard

from ._metrics import NUMBERS, REFERENCES
from ._task import ActiveTask, Pool


class AlRedundant(ActiveTask):
    """A pool of 3,000 rows, four fifths of them near forty points; 1,000 test rows."""

    kind: ClassVar[Literal["labels", "numbers"]] = "numbers"
    outputs: ClassVar[int] = 1
    card: ClassVar = TaskCard(
        name="al-redundant",
        title="Regression on a pool of mostly near-duplicates",
        track="active-learning",
        metrics=NUMBERS,
        presets={
            "smoke": Preset(
                variants={"copies80": {}},
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
            "default": Preset(
                variants={"copies80": {}},
                params={
                    "start": 32,
                    "batch": 32,
                    "budget": 192,
                    "steps": 250,
                    "widths": [96, 96],
                    "dropout": 0.0,
                    "optimiser": "adam",
                    "lr": 0.005,
                    "schedule": "linear",
                    "weight_decay": 0.0,
                },
                seeds=5,
                timeout=300,
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
    copies: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """Share of near-copies."""

    def pool(self, run: Setup) -> Pool:
        """Draw rows: near one of forty points with probability ``copies``, else anywhere."""
        drawn = run.numpy_generator("split", "rows")
        points = drawn.standard_normal((40, 6))
        total = self.n_pool + self.n_test
        near = points[drawn.integers(0, 40, total)] + 0.1 * (2 * drawn.random((total, 6)) - 1)
        copied = drawn.random((total, 1)) < self.copies
        x = torch.from_numpy(np.where(copied, near, drawn.standard_normal((total, 6)))).float()
        clean = (2 * x[:, 0]).sin() + x[:, 1] * x[:, 2] + 0.5 * x[:, 3].square() + x[:, 4].abs()
        y = clean + 0.1 * torch.from_numpy(drawn.standard_normal(total)).float()
        x, y = x.to(run.device), y.to(run.device)
        n = self.n_pool
        return Pool(x=x[:n], answers=y[:n], true=y[:n], x_test=x[n:], y_test=y[n:])
