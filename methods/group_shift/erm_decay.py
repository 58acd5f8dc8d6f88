"""Empirical risk minimisation with the weight decay of GroupDRO (arXiv:1911.08731, section 3.2)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import GroupMethod, adamw
from bench.training.supervised import Seeds


class StrongDecay(GroupMethod):
    """Minimise the mean loss under a strong weight decay, which GroupDRO has too."""

    card: ClassVar = MethodCard(
        name="erm-decay",
        title="Empirical risk minimisation with strong weight decay",
        track="group-shift",
        official_code="none",
        signal="none",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    weight_decay: Annotated[float, Meta(ge=0)] = 5.0
    """Decoupled weight decay in place of the task's."""

    def optimiser(self, seeds: Seeds) -> torch.optim.Optimizer:
        """Return AdamW with this weight decay."""
        return adamw(seeds.nets, seeds.problem.lr, self.weight_decay)
