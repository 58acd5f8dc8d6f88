"""Regression: lower is better, a metric may have no value, a row may be
barred, a cell may say nothing.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Case, Meta, Metric, Preset, Reference, Score, Task, TaskCard

from ...contracts import Curve, Fitted


class Line(Task):
    """Fit a line."""

    card: ClassVar = TaskCard(
        name="line",
        title="A line through noisy points",
        track="mock-regression",
        metrics=(
            Metric(name="rmse", direction="min", primary=True),
            Metric(
                name="coverage",
                direction="max",
                unit="%",
                bounds=(0, 100),
                title="hidden points inside the interval, of methods that give one",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"noisy": {"noise": 0.5}}, params={"n": 20}, seeds=2, timeout=60
            ),
            "default": Preset(
                variants={"noisy": {"noise": 0.5}, "flat": {"noise": 0.5, "slope": 0.0}},
                params={"n": 80},
                seeds=3,
                timeout=60,
            ),
        },
        references=(
            Reference(name="constant", kind="low"),
            Reference(name="truth", kind="high", solve="tell"),
        ),
    )

    n: Annotated[int, Meta(ge=3)] = 20
    noise: Annotated[float, Meta(ge=0)] = 0.5
    slope: float = 2.0

    def prepare(self, run):
        generator = run.numpy_generator("corruption")
        x = torch.from_numpy(generator.uniform(-1, 1, 2 * self.n))
        y = (
            self.slope * x
            + 0.3
            + torch.from_numpy(generator.standard_normal(2 * self.n)) * self.noise
        )
        return Case(
            problems=[Curve(x=x[: self.n], y=y[: self.n])], hidden=(x[self.n :], y[self.n :])
        )

    def evaluate(self, case, outcomes, run):
        fitted, (x, y) = outcomes[0].solution, case.hidden
        errors = y - fitted.slope * x - fitted.offset
        coverage = (
            None
            if fitted.width is None
            else 100 * float((errors.abs() <= fitted.width).double().mean())
        )
        reason = (
            "a constant is the truth here, so no method can be told from another"
            if self.slope == 0
            else None
        )
        rmse = None if self.slope == 0 else float(errors.square().mean().sqrt())
        return Score(
            metrics={"rmse": rmse, "coverage": coverage},
            gates={"follows-x": fitted.slope != 0},
            not_rankable=reason,
        )

    def tell(self, problem, hidden, run):
        return Fitted(slope=self.slope, offset=0.3)
