"""The base class of the track's methods."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch
from msgspec import Meta

from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks.policy_optimization.plan import RolloutBatch, UpdatePlan, standardised

Aggregation = Literal["token", "completion", "sequence", "constant"]


class PolicyMethod(Method, frozen=True, kw_only=True):
    """A way to choose rollouts, tokens, advantages and the clip.

    As it stands it is GRPO (arXiv:2402.03300) with a mean over tokens.

    Attributes:
        max_resample: how often a step may generate more groups because :meth:`missing` asks for
            them.
    """

    max_resample: ClassVar[int] = 0

    level: Literal["token", "sequence"] = "token"
    """Whose importance ratio it is: each token's, or one a sequence (GSPO)."""
    clip_low: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """The ratio is cut at 1 - this."""
    clip_high: Annotated[float, Meta(ge=0)] = 0.2
    """The ratio is cut at 1 + this."""
    aggregation: Aggregation = "token"
    """What the loss divides by: kept tokens of the step, all completion tokens of the plan's rows,
    kept tokens of each sequence and then sequences, or rows times the longest length allowed.
    """
    ddof: Annotated[int, Meta(ge=0, le=1)] = 0
    """0: population standard deviation in the advantages, 1: the sample's."""
    adv_eps: Annotated[float, Meta(ge=0)] = 1e-6
    """Added to that standard deviation."""

    def solve(self, problem: Any, run: Run) -> Any:
        """Let the problem's trainer train by this method's plans."""
        return problem.train(self, run)

    def plan(self, batch: RolloutBatch, progress: float, generator: torch.Generator) -> UpdatePlan:
        """Return what enters the update; pure, given the generator.

        Args:
            batch: the rollouts of the step.
            progress: how much of the training is over: 0 at the first step, 1 at the last of a
                given number; under a budget of operations the share of it that is spent, below 1.
            generator: the method's own stream, for choices by chance.
        """
        return UpdatePlan(
            rows=torch.arange(len(batch.group), device=batch.group.device),
            advantages=self.advantages(batch),
        )

    def missing(self, batch: RolloutBatch) -> int:
        """Return how many more groups to generate before :meth:`plan`;
        asked at most ``max_resample`` times a step.
        """
        return 0

    def advantages(self, batch: RolloutBatch) -> torch.Tensor:
        """Return each row's reward standardised over its group, (N,)."""
        return standardised(
            batch.by_group(batch.rewards), ddof=self.ddof, eps=self.adv_eps
        ).flatten()

    def renormalised(self, rewards: torch.Tensor) -> torch.Tensor:
        """Return rewards of the rollouts kept of each group (B, n),
        standardised over those alone, (B * n,).
        """
        return standardised(rewards, ddof=self.ddof, eps=self.adv_eps).flatten()
