"""Least squares on each generation alone: the baseline of chains."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import Chain, ChainMethod, Generation, ridge


class LeastSquares(ChainMethod):
    """Fit every generation by least squares, on its own rows."""

    card: ClassVar = MethodCard(
        name="ols",
        title="Least squares on each generation alone",
        track="synthetic-data",
        needs=("noise",),
        plain=True,
        defaults_from="here",
    )

    def fit(self, problem: Chain, at: Generation) -> torch.Tensor:
        """Return the weights (d,)."""
        return ridge(at.rows, 0.0)
