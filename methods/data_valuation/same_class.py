"""Whether labels agree: what an attribution must beat."""

from __future__ import annotations

from typing import ClassVar

from bench import Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution


class SameClass(Method):
    """1 for rows of the query's label, 0 for others."""

    card: ClassVar = MethodCard(
        name="same-class",
        title="Same label",
        track="data-valuation",
        signal="labels",
        needs=("queries",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Compare labels."""
        assert problem.queries is not None, "the card asks for queries"
        return Solution(attribution=(problem.y[:, None] == problem.queries.y).double())
