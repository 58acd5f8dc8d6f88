"""Least squares on the first generation, and nothing later: what a chain has to beat."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import Chain, ChainMethod, Generation, ridge


class FirstOnly(ChainMethod):
    """Fit the rows with real answers, and keep those weights: answers of a model are left out."""

    card: ClassVar = MethodCard(
        name="first-only",
        title="Least squares on the real answers alone",
        track="synthetic-data",
        needs=("noise",),
        plain=True,
        defaults_from="here",
    )

    def fit(self, problem: Chain, at: Generation) -> torch.Tensor:
        """Return the weights (d,) of the first generation."""
        return ridge(at.earlier[0] if at.earlier else at.rows, 0.0)
