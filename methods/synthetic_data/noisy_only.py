"""A mixture fitted to the noisy rows alone."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import CentreMethod


class NoisyOnly(CentreMethod):
    """Leave clean rows out; the variance of a noisy row is known."""

    card: ClassVar = MethodCard(
        name="noisy-only",
        title="The noisy rows alone",
        track="synthetic-data",
        needs=("levels",),
        plain=True,
        defaults_from="here",
    )

    def rows(self, x: torch.Tensor, levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the noisy rows (n, d), and the variance of each (n,)."""
        noisy = levels > 0
        return x[noisy], 1 + levels[noisy].square()
