"""Values that are guessed."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution


class Guess(Method):
    """Give each row, and each row and query, a random number."""

    card: ClassVar = MethodCard(
        name="random",
        title="Random values",
        track="data-valuation",
        signal="none",
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Draw normal numbers."""
        generator = run.numpy_generator("method")
        value = torch.from_numpy(generator.standard_normal(len(problem.y)))
        if not problem.n_queries:
            return Solution(value=value)
        table = generator.standard_normal((len(problem.y), problem.n_queries))
        return Solution(value=value, attribution=torch.from_numpy(table))
