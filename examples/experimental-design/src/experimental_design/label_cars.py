"""Choose the cars whose mileage is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, Task, TaskCard
from bench.declared import Array

from .track import Problem, Solution, fitted, left_over


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """Miles a gallon of the pool (n,), and other cars: x (m, d) and y (m,)."""

    y: Annotated[torch.Tensor, Array("n", dtype="float64")]
    test_x: Annotated[torch.Tensor, Array("m", "d", dtype="float64")]
    test_y: Annotated[torch.Tensor, Array("m", dtype="float64")]


class LabelCars(Task):
    """Choose the cars of a pool whose mileage is measured; predict that of other cars."""

    card: ClassVar = TaskCard(
        name="label-cars",
        title="Which cars to measure",
        track="experimental-design",
        datasets=("auto-mpg",),
        metrics=(
            Metric(
                name="rmse",
                direction="min",
                primary=True,
                unit="mpg",
                bounds=(0, None),
                title="error of ridge regression on cars outside the pool",
            ),
            Metric(
                name="variance",
                direction="min",
                bounds=(0, None),
                title="variance left at the cars of the pool, on average",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"b10": {"budget": 10}}, params={"pool": 100}, seeds=2, timeout=60
            ),
            "default": Preset(
                variants={"b10": {"budget": 10}, "b20": {"budget": 20}, "b40": {"budget": 40}},
                seeds=10,
                timeout=60,
            ),
        },
        budget="the number of cars that may be measured",
        references=(
            Reference(name="random", kind="low"),
            Reference(
                name="greedy-oracle",
                kind="high",
                title="car after car by the error on the hidden ones",
                solve="greedy_oracle",
            ),
        ),
    )
    accepts: ClassVar = Solution
    budget: Annotated[int, Meta(ge=1)] = 20
    """Cars to choose."""
    pool: Annotated[int, Meta(ge=10, le=300)] = 300
    """Cars to choose from; those outside the pool are the test."""
    ridge: Annotated[float, Meta(gt=0)] = 0.1
    """Of the regression."""

    def prepare(self, run: Setup) -> Case:
        """Split the cars; columns are standardised by the pool, which may
        be seen without its labels.
        """
        cars = run.dataset("auto-mpg")
        order = torch.from_numpy(run.numpy_generator("split").permutation(len(cars.y)))
        pool, test = order[: self.pool], order[self.pool :]
        mean, std = cars.x[pool].mean(0), cars.x[pool].std(0).clamp_min(1e-8)
        x = torch.cat(
            [(cars.x - mean) / std, torch.ones(len(cars.x), 1, dtype=cars.x.dtype)], 1
        ).to(run.device)
        y = cars.y.to(run.device)
        problem = Problem(x=x[pool], budget=min(self.budget, self.pool), ridge=self.ridge)
        return Case(problems=[problem], hidden=Hidden(y=y[pool], test_x=x[test], test_y=y[test]))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Measure the chosen cars, fit, and predict the others."""
        problem, hidden, rows = case.problems[0], case.hidden, outcomes[0].solution.rows
        weights = fitted(problem.x[rows], hidden.y[rows], problem.ridge)
        rmse = (hidden.test_x @ weights - hidden.test_y).square().mean().sqrt()
        return Score(
            metrics={
                "rmse": float(rmse),
                "variance": float(left_over(problem.x, rows, problem.ridge).mean()),
            }
        )

    def greedy_oracle(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """Choose car after car by the error on the hidden cars, all
        candidates of a step in one solve.
        """
        rows = torch.empty(0, dtype=torch.int64, device=problem.x.device)
        every = torch.arange(len(problem.x), device=problem.x.device)
        for _ in range(problem.budget):
            sets = torch.cat([rows.expand(len(every), -1), every[:, None]], 1)
            weights = fitted(problem.x[sets], hidden.y[sets], problem.ridge)
            error = (weights @ hidden.test_x.T - hidden.test_y).square().mean(1)
            error[rows] = torch.inf
            rows = torch.cat([rows, error.argmin()[None]])
        return Solution(rows=rows)
