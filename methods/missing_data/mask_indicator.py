"""Which cells are missing, as further inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.missing_data import Problem, Solution, Training


class MaskIndicator(Training):
    """Fill holes with 0, the mean of the column, and feed the net a 1 for each hole besides."""

    card: ClassVar = MethodCard(
        name="mask-indicator",
        title="Zeros, and the mask as inputs",
        track="missing-data",
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
    )

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on values and masks (N, 2d)."""
        tables = [with_mask(problem.x) for problem in problems]
        return self.fitted(problems, runs, tables, [with_mask] * len(problems))


def with_mask(x: torch.Tensor) -> torch.Tensor:
    """Return rows (n, d) with 0 in their holes, and behind them 1 for each hole, (n, 2d)."""
    return torch.cat([x.nan_to_num(0.0), x.isnan().to(x.dtype)], 1)
