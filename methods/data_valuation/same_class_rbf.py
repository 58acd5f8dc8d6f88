"""Whether labels agree, and how near the rows are: what an attribution must beat."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_games import squared_distances


class SameClassNear(Method):
    """exp(-|x - x'|^2 / (2 width^2)) for rows of the query's label, 0 for others."""

    card: ClassVar = MethodCard(
        name="same-class-rbf",
        title="Same label, weighed by distance",
        track="data-valuation",
        signal="features",
        needs=("queries",),
        plain=True,
        defaults_from="here",
    )
    width: Annotated[float, Meta(ge=1e-3, le=1e6)] = 1.0
    """Distance at which a row weighs exp(-1/2)."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Weigh the rows of the same label."""
        queries = problem.queries
        assert queries is not None, "the card asks for queries"
        near = (-squared_distances(problem.x, queries.x) / (2 * self.width**2)).exp()
        return Solution(attribution=near * (problem.y[:, None] == queries.y))
