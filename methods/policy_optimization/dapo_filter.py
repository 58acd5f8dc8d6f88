"""The dynamic sampling of DAPO (arXiv:2503.14476)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import PolicyMethod, RolloutBatch, UpdatePlan


class DapoFilter(PolicyMethod):
    """Leave out groups that are all right or all wrong; clip higher above than below."""

    card: ClassVar = MethodCard(
        name="dapo-filter",
        title="DAPO's dynamic sampling and higher clip",
        track="policy-optimization",
        paper="arXiv:2503.14476",
        bibtex="""@misc{yu2025dapo,
  title = {DAPO: An Open-Source LLM Reinforcement Learning System at Scale},
  author = {Yu, Qiying and Zhang, Zheng and Zhu, Ruofei and Yuan, Yufeng and Zuo, Xiaochen and Yue,
    Yu and others},
  year = {2025},
  eprint = {2503.14476},
  archivePrefix = {arXiv}
}""",
        official_code="none",
        deviates="Groups are left out and, by default, not replaced, since TRL's batches can't be "
        "refilled ('refill' replaces them on our own trainer, at most three times a step, and "
        "what that generates is charged to the budget). No shaping of over-long answers. The "
        "standard deviation of a group is the population's (DAPO's trainer: the sample's).",
        defaults_from="paper",
    )
    max_resample: ClassVar = 3
    clip_high: Annotated[float, Meta(ge=0)] = 0.28
    """The ratio is cut at 1 + this."""
    refill: bool = False
    """True: generate for more prompts, at most three times a step, until
    enough groups are mixed.
    """

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Keep the mixed groups; of more than a step is meant to have, the first."""
        mixed = self._mixed(batch)
        mixed &= mixed.cumsum(0) <= batch.wanted
        rows = torch.nonzero(mixed[batch.group])[:, 0]
        return UpdatePlan(rows=rows, advantages=self.advantages(batch)[rows])

    def missing(self, batch: RolloutBatch) -> int:
        """Ask for as many groups as are still wanting."""
        return batch.wanted - int(self._mixed(batch).sum()) if self.refill else 0

    def _mixed(self, batch: RolloutBatch) -> torch.Tensor:
        rewards = batch.by_group(batch.rewards)
        return (rewards != rewards[:, :1]).any(-1)
