"""A mixture fitted to all rows as if all were clean."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import CentreMethod


class Pooled(CentreMethod):
    """Take every row for a clean one."""

    card: ClassVar = MethodCard(
        name="pooled",
        title="All rows, taken for clean",
        track="synthetic-data",
        needs=("levels",),
        plain=True,
        defaults_from="here",
    )

    def rows(self, x: torch.Tensor, levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return all rows (n, d), and variance 1 for each (n,)."""
        return x, torch.ones_like(levels)
