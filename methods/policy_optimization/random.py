"""Random down-sampling of rollouts: the control of every selection."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import (
    PolicyMethod,
    RolloutBatch,
    UpdatePlan,
    count_of,
    rows_of,
)


class RandomRollouts(PolicyMethod):
    """Keep a share of each group's rollouts, drawn by chance; their
    advantages stay those of the whole group.
    """

    card: ClassVar = MethodCard(
        name="random",
        title="Random down-sampling of rollouts",
        track="policy-optimization",
        official_code="none",
        deviates="The control of PODS's authors standardises the rewards that are kept anew "
        "('renormalise'); here the advantages stay those of the whole group, so that the draw "
        "alone differs from GRPO.",
        plain=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of each group that is kept."""
    renormalise: bool = False
    """True: advantages are standardised over the kept rollouts."""

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Draw without replacement."""
        rewards = batch.by_group(batch.rewards)
        n = count_of(self.share, rewards.shape[1])
        keys = torch.rand(rewards.shape, generator=generator, device=generator.device).to(
            rewards.device
        )
        chosen = keys.argsort(-1)[:, :n].sort(-1)[0]
        rows = rows_of(batch, chosen)
        return UpdatePlan(
            rows=rows,
            advantages=self.renormalised(rewards.gather(1, chosen))
            if self.renormalise
            else self.advantages(batch)[rows],
        )
