"""Ways to fit."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard

from ...contracts import Fitted


class Constant(Method):
    """The mean, whatever x is."""

    card: ClassVar = MethodCard(name="constant", title="The mean", track="mock-regression")

    def solve(self, problem, run):
        return Fitted(slope=0.0, offset=float(problem.y.mean()))


class LeastSquares(Method):
    """Least squares with an interval; the stack does for each member
    exactly what ``solve`` does.
    """

    card: ClassVar = MethodCard(
        name="least-squares", title="Least squares", track="mock-regression", stacked=True
    )
    exact_stack: ClassVar = True

    fail_seed: Annotated[int, Meta(ge=-1)] = -1
    """Fails with this seed, alone or in a stack; -1: never."""

    def solve(self, problem, run):
        if run.seed == self.fail_seed:
            raise ArithmeticError(f"seed {run.seed} is the bad one")
        x = problem.x - problem.x.mean()
        slope = (x * problem.y).sum() / x.square().sum()
        offset = problem.y.mean() - slope * problem.x.mean()
        left = problem.y - slope * problem.x - offset
        run.log(1, left=float(left.abs().mean()))
        return Fitted(
            slope=float(slope),
            offset=float(offset),
            width=float(2 * torch.sqrt(left.square().mean())),
        )

    def solve_stacked(self, problems, runs):
        return [self.solve(problem, run) for problem, run in zip(problems, runs, strict=True)]
