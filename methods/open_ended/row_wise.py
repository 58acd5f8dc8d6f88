"""The allocation of open-ended supervised learning, row by row."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.open_ended import OpenEndedMethod


class RowWise(OpenEndedMethod):
    """Give each row to the predictor that fits it best, whatever its batch."""

    card: ClassVar = MethodCard(
        name="row-wise",
        title="Allocation row by row",
        track="open-ended",
        signal="loss",
        plain=True,
        stacked=True,
        defaults_from="here",
    )

    def shares(self, losses: torch.Tensor, progress: float) -> torch.Tensor:
        """Return 1 for the net of the least error of the row, 0 for the others."""
        best = losses.argmin(0, keepdim=True)
        return torch.zeros_like(losses).scatter_(0, best, 1.0)
