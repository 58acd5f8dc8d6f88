"""D1S-Cross: the sample level of D3S within and across groups (arXiv:2509.22115, ablation)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import PolicyMethod, RolloutBatch, UpdatePlan

from ._dual_level import BIBTEX, UNREAD, sample_level


class D1sCross(PolicyMethod):
    """Keep of each group the rollouts whose advantages vary most, then of the pool again."""

    card: ClassVar = MethodCard(
        name="d1s-cross",
        title="D3S, sample level within and across groups",
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

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Select rows."""
        advantages = self.advantages(batch)
        rows = sample_level(batch, advantages, self.share, self.cross)
        return UpdatePlan(rows=rows, advantages=advantages[rows])
