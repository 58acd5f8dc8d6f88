"""The absolute error."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from bench import MethodCard
from bench.tracks.noisy_regression import Batch, Recipe, gaps


class AbsoluteError(Recipe):
    """Minimise |y - f|: the net learns the median of the targets."""

    card: ClassVar = MethodCard(
        name="mae",
        title="Absolute error",
        track="noisy-regression",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """|d|, with d = y - f (K, B)."""
        return gaps(batch, logits).abs()
