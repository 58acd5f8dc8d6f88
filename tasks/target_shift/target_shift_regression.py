"""Numbers with a normal density in the source, and another one in the target."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Preset, Setup, TaskCard

from ._metrics import REFERENCES
from ._numbers import METRICS, NumbersTask, case_of


class TargetShiftRegression(NumbersTask):
    """Inputs are noisy functions of a number; the number's mean and spread differ in the target."""

    card: ClassVar = TaskCard(
        name="target-shift-regression",
        title="Numbers of another density",
        track="target-shift",
        metrics=METRICS,
        inputs="table",
        presets={
            "smoke": Preset(
                variants={"strong": {}},
                params={"n_source": 60, "n_target": 60, "n_test": 60},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "mild": {"mean": 0.5, "spread": 0.8, "noise": 0.5},
                    "strong": {},
                    "wide": {"inputs": 3, "noise": 2.5},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="the source rows and the target's inputs",
        offers={"numbers": {}},
        references=REFERENCES,
        paper="arXiv:2401.16410",
    )
    mean: float = 1.0
    """Mean of the number in the target, in standard deviations of the source."""
    spread: Annotated[float, Meta(gt=0)] = 0.5
    """Its standard deviation there."""
    noise: Annotated[float, Meta(ge=0)] = 1.5
    """Standard deviation of the noise of each input."""
    inputs: Annotated[int, Meta(ge=1)] = 1
    """Columns of the inputs."""
    n_source: Annotated[int, Meta(ge=10)] = 500
    """Labelled source rows."""
    n_target: Annotated[int, Meta(ge=10)] = 500
    """Target rows without labels."""
    n_test: Annotated[int, Meta(ge=10)] = 1000
    """Target rows that judge."""

    def prepare(self, run: Setup) -> Case:
        """Draw numbers, and inputs given the numbers.

        Raises:
            InvalidRun: the target's density is 0 at all source rows.
        """
        generator = run.numpy_generator("split")
        slopes = generator.uniform(0.5, 1.5, self.inputs)
        y = generator.standard_normal(self.n_source)
        moved = self.mean + self.spread * generator.standard_normal(self.n_target + self.n_test)
        x, x_moved = (self.inputs_of(part, slopes, generator) for part in (y, moved))
        with np.errstate(over="ignore"):
            weights = (
                np.exp(0.5 * np.square(y) - 0.5 * np.square((y - self.mean) / self.spread))
                / self.spread
            )
        if not 0 < weights.sum() < np.inf:
            raise InvalidRun(
                f"with mean={self.mean:g} and spread={self.spread:g} no source row is where the "
                "target's numbers are; take a mean nearer to 0, or a larger spread"
            )
        kept = self.n_target
        parts = (x, y, x_moved[:kept], x_moved[kept:], moved[kept:], weights)
        return case_of(*(torch.from_numpy(part).to(run.device) for part in parts))

    def inputs_of(
        self, y: np.ndarray, slopes: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """Return inputs (n, d): y + 2 sin y in the first column, y times a slope in the others,
        each with noise.
        """
        x = y[:, None] * slopes
        x[:, 0] = y + 2 * np.sin(y)
        return x + self.noise * generator.standard_normal(x.shape)
