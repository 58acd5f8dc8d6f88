"""Ways to weigh samples."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard


class PlanMethod(Method):
    """What the track offers: the problem trains, the method plans."""

    def solve(self, problem, run):
        return problem.train(self, run)

    def plan(self, batch, progress, generator):
        """Return a weight a sample (B, G)."""
        return torch.zeros_like(batch.rewards)


class Frozen(PlanMethod):
    """Learn nothing."""

    card: ClassVar = MethodCard(name="frozen", title="Weight zero", track="mock-policy")


class Advantage(PlanMethod):
    """The reward less its mean over the group."""

    card: ClassVar = MethodCard(name="advantage", title="Group advantage", track="mock-policy")

    scale: float = 1.0

    def plan(self, batch, progress, generator):
        return self.scale * (batch.rewards - batch.rewards.mean(1, keepdim=True))
