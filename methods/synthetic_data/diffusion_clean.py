"""A denoiser of the clean rows alone: the baseline of noisy rows."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_diffusion import DiffusionMethod


class DiffusionClean(DiffusionMethod):
    """Leave noisy rows out."""

    card: ClassVar = MethodCard(
        name="diffusion-clean",
        title="A denoiser of the clean rows alone",
        track="synthetic-data",
        needs=("sigma",),
        plain=True,
        defaults_from="here",
    )

    def rows(self, x: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the clean rows (n, d), without noise (n,)."""
        clean = x[sigma == 0]
        return clean, torch.zeros_like(clean[:, 0])
