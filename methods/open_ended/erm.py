"""One predictor for all rows: the baseline of the track."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.open_ended import OpenEndedMethod


class EmpiricalRisk(OpenEndedMethod):
    """Fit the mean of whatever the rows say."""

    card: ClassVar = MethodCard(
        name="erm",
        title="Empirical risk minimisation",
        track="open-ended",
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=1, le=1)] = 1
    """One predictor."""

    def shares(self, losses: torch.Tensor, progress: float) -> torch.Tensor:
        """Return 1: the net learns every row."""
        return torch.ones_like(losses)
