"""The mean of the labelled rows, turned by their labels: the best that few labels alone allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bench import Method, MethodCard, Run
from bench.tracks.semi_supervised import Problem, Solution

from ._symmetric import rows_of, solutions


class SignedMean(Method):
    """Classify by the sign of the product with the mean of y x."""

    card: ClassVar = MethodCard(
        name="mean",
        title="Signed mean of the labelled rows",
        track="semi-supervised",
        needs=("symmetric",),
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Take the mean."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Take the mean of each member."""
        x, sign, _ = rows_of(problems, runs, "mean")
        for run in runs:
            run.count(forward=x.shape[1])
        found = solutions((sign[..., None] * x).mean(1), problems)
        for one in found:
            one.pseudo = one.weight = None  # the pool is not read
        return found
