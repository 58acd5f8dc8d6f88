"""D2S: both levels of D3S without its schedule (arXiv:2509.22115, ablation)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import PolicyMethod, RolloutBatch, UpdatePlan

from ._dual_level import BIBTEX, UNREAD, sample_level, token_level


class D2s(PolicyMethod):
    """Select rollouts within and across groups, then the tokens of largest
    advantage times entropy.
    """

    card: ClassVar = MethodCard(
        name="d2s",
        title="D3S without its schedule",
        track="policy-optimization",
        paper="arXiv:2509.22115",
        bibtex=BIBTEX,
        official_code="none",
        deviates=UNREAD,
        defaults_from="here",
        trials=None,
    )
    share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of each group that is kept (N_s / G)."""
    cross: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of those that is kept across groups (N / (B N_s))."""
    tokens: Annotated[float, Meta(gt=0, le=1)] = 0.2
    """Share of the kept rollouts' tokens that keeps its gradient (K)."""

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Select rows, then tokens."""
        advantages = self.advantages(batch)
        return token_level(
            batch, sample_level(batch, advantages, self.share, self.cross), advantages, self.tokens
        )
