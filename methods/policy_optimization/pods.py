"""Policy optimisation with down-sampling (arXiv:2504.13818)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import (
    PolicyMethod,
    RolloutBatch,
    UpdatePlan,
    count_of,
    max_variance_subset,
    rows_of,
)


class Pods(PolicyMethod):
    """Keep the rollouts of each group whose rewards vary most, and standardise those anew."""

    card: ClassVar = MethodCard(
        name="pods",
        title="Policy optimisation with down-sampling",
        track="policy-optimization",
        paper="arXiv:2504.13818",
        bibtex="""@article{xu2025not,
  title = {Not All Rollouts are Useful: Down-Sampling Rollouts in LLM Reinforcement Learning},
  author = {Xu, Yixuan Even and Savani, Yash and Fang, Fei and Kolter, J. Zico},
  year = {2025},
  eprint = {2504.13818},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="The share kept is this project's; the authors keep 16 of 64.",
        defaults_from="paper",
    )
    share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of each group that is kept."""
    renormalise: bool = True
    """False: the kept rollouts keep the advantages they had in the whole group."""

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Choose by the variance of rewards, group by group."""
        rewards = batch.by_group(batch.rewards)
        chosen = max_variance_subset(rewards, count_of(self.share, rewards.shape[1]))
        rows = rows_of(batch, chosen)
        return UpdatePlan(
            rows=rows,
            advantages=self.renormalised(rewards.gather(1, chosen))
            if self.renormalise
            else self.advantages(batch)[rows],
        )
