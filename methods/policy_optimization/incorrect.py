"""Advantages of single steps, those of wrong solutions above all (arXiv:2406.14532)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import PolicyMethod, RolloutBatch, UpdatePlan, count_of


class Incorrect(PolicyMethod):
    """Weigh every token by what it changes in the chance of a right answer."""

    card: ClassVar = MethodCard(
        name="incorrect",
        title="Advantages of single steps of wrong and right solutions",
        track="policy-optimization",
        paper="arXiv:2406.14532",
        bibtex="""@inproceedings{setlur2024incorrect,
  title = {RL on Incorrect Synthetic Data Scales the Efficiency of LLM Math Reasoning by
    Eight-Fold},
  author = {Setlur, Amrith and Garg, Saurabh and Geng, Xinyang and Garg, Naman and Smith, Virginia
    and Kumar, Aviral},
  booktitle = {NeurIPS},
  year = {2024},
  eprint = {2406.14532},
  archivePrefix = {arXiv}
}""",
        claim="Wrong solutions with an advantage for every step are worth eight times as many "
        "training problems.",
        official_code="none",
        deviates="The paper was known from its abstract and from reviews; its repository holds no "
        "code. It trains offline, on pairs of steps by DPO, and shows that this is reinforcement "
        "learning weighted by advantages; here is that form, on rollouts of the current policy and "
        "with the clip of the track. It draws new rollouts from each prefix to value a step; here "
        "the group's own rollouts that begin alike stand for them. A step is one token. "
        "Differences of values are divided by the group's standard deviation, as GRPO's are. Of "
        "each group the quarter is kept that the other methods here keep.",
        defaults_from="here",
    )
    right: Literal["steps", "whole", "none"] = "steps"
    """Rollouts with a reward above their group's mean: each step has its advantage, as in the
    others; all of their tokens have GRPO's; or they are left out.
    """
    share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of each group's rollouts that is kept: those with the largest advantage of a step."""

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Keep the tokens that change the value, of the rollouts where it changes most."""
        advantages = self.steps(batch)
        if self.right != "steps":
            whole = self.advantages(batch)[:, None]
            kept = whole if self.right == "whole" else torch.zeros_like(whole)
            advantages = torch.where(whole > 0, kept * batch.completion_mask, advantages)
        largest = batch.by_group(advantages.abs().amax(-1))
        place = largest.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
        among = (place < count_of(self.share, largest.shape[1])).flatten()
        rows = torch.nonzero(among & (advantages != 0).any(-1))[:, 0]
        return UpdatePlan(
            rows=rows,
            advantages=advantages[rows],
            token_weight=(advantages[rows] != 0).float(),
        )

    def steps(self, batch: RolloutBatch) -> torch.Tensor:
        """Return what each token changes in the value, over the group's standard deviation (N, T).

        The value of a beginning is the mean reward of the rollouts of the group that begin so: of
        all of them before the first token, of one alone its own reward. So the changes of a rollout
        add up to its reward minus the group's mean.
        """
        rewards, mask = batch.by_group(batch.rewards), batch.by_group(batch.completion_mask)
        ids = batch.by_group(batch.completion_ids)
        equal = (ids[:, :, None] == ids[:, None]) & mask[:, :, None] & mask[:, None]
        alike = equal.cummin(-1).values.to(rewards.dtype)  # (B, G, G, T)
        after = (alike * rewards[:, None, :, None]).sum(2) / alike.sum(2).clamp_min(1)
        start = rewards.mean(-1)[:, None, None].expand(*rewards.shape, 1)
        change = torch.where(mask, after - torch.cat([start, after[..., :-1]], -1), 0.0)
        spread = rewards.std(-1, correction=self.ddof)[:, None, None]
        varied = (rewards != rewards[:, :1]).any(-1)[:, None, None]
        return torch.where(varied, change / (spread + self.adv_eps), 0.0).flatten(0, 1)
