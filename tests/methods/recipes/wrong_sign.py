"""A mistake on purpose: the encouraging loss with its reward subtracted.

No room holds it. Tests load this file as a plugin and compare it with the method that is right.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from bench.builtin.methods.recipes.encouraging_loss import EncouragingLoss, bonus

from bench import MethodCard
from bench.training.recipe import Batch, cross_entropy


class WrongSign(EncouragingLoss):
    """Minimise -log p - log(1 - p), which punishes rows that are classified well."""

    card: ClassVar = MethodCard(
        name="wrong-sign",
        title="Encouraging loss with the wrong sign",
        track="long-tail",
        deviates="The reward is subtracted, a mistake on purpose.",
        signal="loss",
        stacked=True,
        defaults_from="here",
    )

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """-log p_y - log(1 - p_y)."""
        lost = cross_entropy(logits, batch.y)
        return lost - bonus((-lost).exp(), self.turn)
