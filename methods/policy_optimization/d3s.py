"""D3S: dynamic dual-level down-sampling (arXiv:2509.22115)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import PolicyMethod, RolloutBatch, UpdatePlan, along

from ._dual_level import BIBTEX, UNREAD, sample_level, token_level


class D3s(PolicyMethod):
    """Select rollouts and tokens, few at the start of training and more towards its end."""

    card: ClassVar = MethodCard(
        name="d3s",
        title="Dynamic dual-level down-sampling",
        track="policy-optimization",
        paper="arXiv:2509.22115",
        bibtex=BIBTEX,
        claim="Reaches GRPO's accuracy 2.04 times as fast on a model of 7B "
        "parameters, with less than a fifth of its tokens, and ends above it and above PODS.",
        official_code="none",
        deviates=UNREAD,
        defaults_from="here",
        trials=None,
    )
    share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of each group that is kept at the start (N_s / G)."""
    share_end: Annotated[float, Meta(gt=0, le=1)] = 0.75
    """The same at the end."""
    cross: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of those that is kept across groups (N / (B N_s))."""
    tokens: Annotated[float, Meta(gt=0, le=1)] = 0.2
    """Share of the kept rollouts' tokens that keeps its gradient at the start (K)."""
    tokens_end: Annotated[float, Meta(gt=0, le=1)] = 0.8
    """The same at the end."""

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Select rows, then tokens, at the shares of the moment."""
        advantages = self.advantages(batch)
        rows = sample_level(
            batch, advantages, along(progress, self.share, self.share_end), self.cross
        )
        return token_level(batch, rows, advantages, along(progress, self.tokens, self.tokens_end))
