"""A denoiser of the noisy rows alone, each at noise above its own."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_diffusion import DiffusionMethod


class DiffusionNoisy(DiffusionMethod):
    """Leave clean rows out; below the noise of the rows nothing is learned."""

    card: ClassVar = MethodCard(
        name="diffusion-noisy",
        title="A denoiser of the noisy rows alone",
        track="synthetic-data",
        needs=("sigma",),
        plain=True,
        defaults_from="here",
    )

    def rows(self, x: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the noisy rows (n, d), and the noise of each (n,)."""
        noisy = sigma > 0
        return x[noisy], sigma[noisy]
