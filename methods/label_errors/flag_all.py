"""The detector that flags everything."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.label_errors import Problem, Solution


class FlagAll(Method):
    """Trust no label."""

    card: ClassVar = MethodCard(
        name="flag-all",
        title="Flag everything",
        track="label-errors",
        signal="none",
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Flag every row."""
        return Solution(flags=torch.ones_like(problem.y, dtype=torch.bool))
