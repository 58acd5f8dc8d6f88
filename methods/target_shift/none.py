"""No correction: what everyone does who does not know of the shift."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution


class NoCorrection(Method):
    """Say that the target is like the source."""

    card: ClassVar = MethodCard(
        name="none",
        title="No correction",
        track="target-shift",
        signal="none",
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return weights of 1."""
        return Solution(weights=torch.ones(problem.n_weights, dtype=torch.float64))
