"""The log loss with unlabelled rows as negative, weighed by the share of positives."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.positive_unlabeled import Batch, Members, PositiveUnlabeledMethod, over_known


class WeightedNegative(PositiveUnlabeledMethod):
    """Weigh known positives by the prior pi, and unlabelled rows, as negative, by 1 - pi."""

    card: ClassVar = MethodCard(
        name="weighted-un",
        title="What is not known is negative, weighed by the prior",
        track="positive-unlabeled",
        needs=("prior",),
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def start(self, members: Members) -> torch.Tensor:
        """Return the prior (K, L)."""
        return members.prior

    def risk(
        self, state: torch.Tensor, batch: Batch, z: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Pi E_P softplus(-z) + (1 - pi) E_U softplus(z)."""
        positive = over_known(F.softplus(-known), batch.s_known)
        return state * positive + (1 - state) * F.softplus(z).mean(1)
