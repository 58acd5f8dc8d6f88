"""Expectation maximisation of two round Gaussians around plus and minus one mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.semi_supervised import Problem, Solution

from ._symmetric import rows_of, solutions


class SymmetricEm(Method):
    """Estimate the mean from labelled rows and the pool in turns with the pool's classes."""

    card: ClassVar = MethodCard(
        name="em",
        title="EM of two Gaussians",
        track="semi-supervised",
        needs=("symmetric",),
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    rounds: Annotated[int, Meta(ge=1)] = 100
    """Rounds."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Estimate the mean."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Estimate the mean of each member: E[y | u] = tanh(mean u) for an identity covariance."""
        x, sign, u = rows_of(problems, runs, "em")
        own = (sign[..., None] * x).sum(1)
        mean = own / x.shape[1]
        for _ in range(self.rounds):
            guess = (u @ mean[..., None]).tanh()
            mean = (own + (guess * u).sum(1)) / (x.shape[1] + u.shape[1])
        for run in runs:
            run.count(forward=self.rounds * u.shape[1] + x.shape[1])
        return solutions(mean, problems)
