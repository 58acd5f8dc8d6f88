"""Fitting anew without each row."""

from __future__ import annotations

from typing import ClassVar

from bench import Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_linear import design, fitted, leave_one_out, margins


class Retrain(Method):
    """The margin of a query's label with all rows minus that without one: the truth that influence
    functions are to tell without fitting anew.
    """

    card: ClassVar = MethodCard(
        name="loo-retrain",
        title="Retraining without each row",
        track="data-valuation",
        signal="fits",
        needs=("queries",),
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit once on all rows, and from there without each."""
        queries = problem.queries
        assert queries is not None, "the card asks for queries"
        model = fitted(problem.x, problem.y, problem.n_classes, problem.penalty)
        rows, n = design(queries.x), len(problem.y)
        whole = margins(rows @ model.weights, queries.y)
        without = margins(rows @ leave_one_out(model), queries.y)
        run.count(forward=n * n, backward=n * n)
        return Solution(attribution=whole - without, n_fits=n + 1)
