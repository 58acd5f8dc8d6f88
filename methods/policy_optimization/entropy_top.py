"""Training on the most uncertain tokens (arXiv:2506.01939)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import PolicyMethod, RolloutBatch, UpdatePlan


class EntropyTop(PolicyMethod):
    """Every rollout, but only the tokens at which the policy is most undecided."""

    card: ClassVar = MethodCard(
        name="entropy-top",
        title="Gradient at high-entropy tokens only",
        track="policy-optimization",
        paper="arXiv:2506.01939",
        bibtex="""@misc{wang2025beyond,
  title = {Beyond the 80/20 Rule: High-Entropy Minority Tokens Drive Effective Reinforcement
    Learning for LLM Reasoning},
  author = {Wang, Shenzhi and Yu, Le and Gao, Chang and Zheng, Chujie and Liu, Shixuan and Lu, Rui
    and Dang, Kai and others},
  year = {2025},
  eprint = {2506.01939},
  archivePrefix = {arXiv}
}""",
        claim="The gradient at the fifth of the tokens of highest entropy does as well as that of "
        "all tokens in a model of 8B parameters, and better in larger models.",
        official_code="none",
        deviates="Symmetric clip of the track, and no group is left out; the paper builds on DAPO. "
        "Abstract read, and the option of a public trainer (TRL) that implements it: the loss is "
        "divided by all tokens, as there. There the quantile is over a part of the batch under the "
        "policy being trained; here over the whole batch under the policy that generated it.",
        defaults_from="paper",
    )
    aggregation: Literal["token", "completion", "sequence", "constant"] = "completion"
    """What the loss divides by: all completion tokens, so that a token counts as much as in GRPO;
    ``token``: the kept ones alone.
    """
    share: Annotated[float, Meta(gt=0, le=1)] = 0.2
    """Share of all completion tokens of the batch that keeps its gradient."""

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Keep tokens whose entropy is at least the (1 - share) quantile over the batch."""
        everything = super().plan(batch, progress, generator)
        entropy = batch.entropy(everything.rows)
        edge = torch.quantile(entropy[batch.completion_mask].double(), 1 - self.share).to(
            entropy.dtype
        )
        return UpdatePlan(
            rows=everything.rows,
            advantages=everything.advantages,
            token_weight=((entropy >= edge) & batch.completion_mask).float(),
        )
