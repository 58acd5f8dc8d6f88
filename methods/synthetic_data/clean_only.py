"""A mixture fitted to the clean rows alone: the baseline of noisy rows."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import CentreMethod


class CleanOnly(CentreMethod):
    """Leave noisy rows out."""

    card: ClassVar = MethodCard(
        name="clean-only",
        title="The clean rows alone",
        track="synthetic-data",
        needs=("levels",),
        plain=True,
        defaults_from="here",
    )

    def rows(self, x: torch.Tensor, levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the clean rows (n, d), and variance 1 for each (n,)."""
        clean = x[levels == 0]
        return clean, torch.ones_like(clean[:, 0])
