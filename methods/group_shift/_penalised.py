"""Mean loss over environments plus a penalty whose weight jumps (arXiv:1907.02893, section 5)."""

from __future__ import annotations

from typing import Annotated, Any

import torch

from bench import Meta
from bench.tracks.group_shift import Batch, GroupMethod, Seeds
from bench.training.stack import StackedNet


class PenaltyState:
    """Environments of the rows (K, N), how many, and how many steps come before the jump."""

    def __init__(self, seeds: Seeds, share: float) -> None:
        self.env = seeds.env
        self.envs = int(self.env.max()) + 1
        self.steps = seeds.steps
        self.jump = round(share * seeds.problem.epochs * seeds.steps)


class Penalised(GroupMethod):
    """Mean loss plus a penalty on differences between environments."""

    lam: Annotated[float, Meta(ge=0)] = 1000.0
    """Weight of the penalty after the jump; the whole loss is divided by it where it is above 1."""
    lam_before: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the penalty before."""
    share: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Share of the steps before the jump."""

    def start(self, seeds: Seeds) -> PenaltyState:
        """Count environments and steps."""
        return PenaltyState(seeds, self.share)

    def penalty(
        self, state: PenaltyState, batch: Batch, logits: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss and the penalty of each member, (K,) both."""
        raise NotImplementedError

    def loss(self, state: PenaltyState, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Mean loss + lam times the penalty, over lam where that is above 1, (K, 1)."""
        step = batch.epoch * state.steps + batch.step
        lam = self.lam if step >= state.jump else self.lam_before
        risk, penalty = self.penalty(state, batch, logits)
        return ((risk + lam * penalty) / max(lam, 1.0))[:, None]

    def step(
        self, state: Any, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Move the nets by one batch; forget the optimiser's averages at the jump."""
        if batch.epoch * state.steps + batch.step == state.jump:
            optimiser.state.clear()
        super().step(state, nets, optimiser, batch)
