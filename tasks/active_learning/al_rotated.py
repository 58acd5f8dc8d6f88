"""Digits, whose angle is asked for."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import InvalidRun, Meta, Preset, Setup, TaskCard
from bench.training.data import standardised
from bench.training.resample import affine_maps, resample

from ._digits import split
from ._metrics import NUMBERS, REFERENCES
from ._task import ActiveTask, Pool


class AlRotated(ActiveTask):
    """A pool of 1,438 digits, each turned by three angles, and 359 others to judge by."""

    kind: ClassVar[Literal["labels", "numbers"]] = "numbers"
    outputs: ClassVar[int] = 1
    card: ClassVar = TaskCard(
        name="al-rotated",
        title="Active learning of the rotation angle of digits",
        track="active-learning",
        datasets=("digits",),
        metrics=NUMBERS,
        presets={
            "smoke": Preset(
                variants={"turned60": {}},
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
                variants={"turned60": {}},
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
    n_pool: Annotated[int, Meta(ge=0)] = 0
    """Rows of the pool, a third as many digits; 0: all."""
    n_test: Annotated[int, Meta(ge=1)] = 359
    """Test rows."""

    def pool(self, run: Setup) -> Pool:
        """Return digits turned by up to sixty degrees, and the angles in units of sixty.

        Raises:
            InvalidRun: the pool would not hold one digit, or the test takes all.
        """
        if 0 < self.n_pool < 3:
            raise InvalidRun(
                f"n_pool is {self.n_pool}, and each digit is there three times; take at least 3, "
                "or 0 for all"
            )
        x, y = _all(run)
        if self.n_test >= len(y):
            raise InvalidRun(
                f"n_test is {self.n_test}, and there are {len(y)} digits; leave some for the pool"
            )
        data = split(x, y, self.n_test, self.n_pool // 3 if self.n_pool else 0, run)
        drawn = run.numpy_generator("corruption", "angles")
        x = data.x.repeat(3, 1, 1, 1)
        parts = []
        for pictures in (x, data.x_test):
            y = torch.from_numpy(2 * drawn.random(len(pictures)) - 1).float().to(pictures.device)
            parts.append((resample(pictures, affine_maps(torch.pi / 3 * y, like=y)), y))
        (x, y), (x_test, y_test) = parts
        own, other = standardised(x, x_test)
        return Pool(x=own, answers=y, true=y, x_test=other, y_test=y_test, shown=x)


def _all(run: Setup) -> tuple[torch.Tensor, torch.Tensor]:
    data = run.dataset("digits")
    return data.x.float() / 16, data.y
