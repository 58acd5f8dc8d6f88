"""The problem of the track: a policy trained by our own trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.tracks.policy_optimization.prompts import Prompts
from bench.tracks.policy_optimization.solution import Solution

if TYPE_CHECKING:
    from bench.runs.context import Run
    from bench.tracks.policy_optimization.method import PolicyMethod


class PolicyProblem(Prompts, frozen=True, kw_only=True):
    """Improve a policy on prompts whose answers can be checked."""

    def train(self, method: PolicyMethod, run: Run) -> Solution:
        """Train the policy by the plans of ``method``."""
        from bench.tracks.policy_optimization.trainer import Trainer

        return Trainer(self, method, run).train()
