"""A denoiser of all rows, as if all were clean."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_diffusion import DiffusionMethod


class DiffusionPooled(DiffusionMethod):
    """Take every row for a clean one."""

    card: ClassVar = MethodCard(
        name="diffusion-pooled",
        title="A denoiser of all rows, taken for clean",
        track="synthetic-data",
        needs=("sigma",),
        plain=True,
        defaults_from="here",
    )

    def rows(self, x: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return all rows (n, d), without noise (n,)."""
        return x, torch.zeros_like(sigma)
