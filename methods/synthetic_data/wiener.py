"""A mixture fitted to all rows, the noisy ones denoised by a linear filter."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import CentreMethod


class Wiener(CentreMethod):
    """Replace noisy rows by their best linear estimate, and take all for clean."""

    card: ClassVar = MethodCard(
        name="wiener",
        title="All rows, after a linear filter",
        track="synthetic-data",
        needs=("levels",),
        plain=True,
        defaults_from="here",
    )

    def rows(self, x: torch.Tensor, levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return all rows (n, d), noisy ones denoised, and variance 1 for each (n,).

        The filter is m + S (S + s^2 I)^-1 (x - m), with mean and covariance of the clean rows.
        """
        clean = x[levels == 0]
        mean, spread = clean.mean(0), torch.cov(clean.T)
        values, vectors = torch.linalg.eigh(spread)
        apart = (x - mean) @ vectors
        gain = values.clamp_min(0) / (values.clamp_min(0) + levels.square()[:, None]).clamp_min(
            1e-300
        )
        return mean + (apart * gain) @ vectors.T, torch.ones_like(levels)
