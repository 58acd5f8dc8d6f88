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
        claim="Reaches GRPO's best accuracy at least 1.7 times as fast; rollouts of the largest "
        "variance of rewards teach more than as many drawn by chance.",
        official_code="ok",
        deviates="The track's loss, a clipped mean over tokens in two optimiser steps a batch; the "
        "authors' first trainer takes one step on the mean over sequences of their means over "
        "tokens. Where all rewards kept are equal the advantages are 0 here, as they are there.",
        defaults_from="paper",
    )
    ddof: Annotated[int, Meta(ge=0, le=1)] = 1
    """0: population standard deviation in the advantages, 1: the sample's (the authors' choice)."""
    adv_eps: Annotated[float, Meta(ge=0)] = 1e-4
    """Added to that standard deviation."""
    share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of each group that is kept; the authors keep 16 of 64."""
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
