"""The detector that flags nothing."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.label_errors import Problem, Solution


class FlagNone(Method):
    """Trust every label: at a rate p of wrong ones its weighted F1 is 2 (1 - p)^2 / (2 - p)."""

    card: ClassVar = MethodCard(
        name="flag-none",
        title="Flag nothing",
        track="label-errors",
        signal="none",
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Flag no row."""
        return Solution(flags=torch.zeros_like(problem.y, dtype=torch.bool))
