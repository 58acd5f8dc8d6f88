"""Random rows: the null method of the track."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run

from ..track import Problem, Solution


class Random(Method):
    """Rows drawn uniformly, without replacement."""

    card: ClassVar = MethodCard(name="random", title="Random rows", track="experimental-design")

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return the first rows of a random order."""
        order = torch.randperm(
            len(problem.x), generator=run.torch_generator("method", device="cpu")
        )
        return Solution(rows=order[: problem.budget].to(problem.x.device))
