"""The objective of GroupDRO (arXiv:1911.08731, algorithm 1), for groups or environments."""

from __future__ import annotations

from typing import Annotated, Any

import torch

from bench import Meta
from bench.tracks.group_shift import (
    Batch,
    GroupMethod,
    Seeds,
    adamw,
    cross_entropy,
    grouped_means,
)

from ._sampling import Sampler, alike


class WorstState:
    """Groups of the rows (K, N) and how many there are, how rows are drawn, the weights q (K, G) on
    the simplex, and c / sqrt(n_g). A group without rows has neither a weight nor a bonus.
    """

    def __init__(
        self, seeds: Seeds, group: torch.Tensor, groups: int, balanced: bool, adjust: float
    ) -> None:
        self.group, self.groups = group, groups
        self.sampler = Sampler(seeds, alike(group, groups), "rows") if balanced else None
        counts = group.new_zeros(len(group), groups).scatter_add(1, group, torch.ones_like(group))
        present = (counts > 0).to(torch.float32)
        self.q = present / present.sum(1, keepdim=True)
        self.bonus = adjust * present / counts.clamp_min(1).sqrt()


class WorstGroup(GroupMethod):
    """Weigh groups by how badly they went so far."""

    eta: Annotated[float, Meta(ge=0)] = 0.01
    """Step size of the groups' weights; 0 weighs them alike."""
    adjust: Annotated[float, Meta(ge=0)] = 0.0
    """The paper's C: small groups count as worse by C / sqrt(rows of the group)."""
    weight_decay: Annotated[float, Meta(ge=0)] | None = 5.0
    """Decoupled weight decay in place of the task's; None: the task's."""
    balanced: bool = True
    """Draw rows with a chance of one over the size of their group; else each once an epoch."""

    def optimiser(self, seeds: Any) -> torch.optim.Optimizer:
        """Return AdamW with this weight decay."""
        decay = seeds.problem.weight_decay if self.weight_decay is None else self.weight_decay
        return adamw(seeds.nets, seeds.problem.lr, decay)

    def rows(self, state: WorstState, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Return the rows of an epoch."""
        return orders if state.sampler is None else state.sampler.draw(orders.shape[1])

    def loss(self, state: WorstState, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Sum of q_g L_g, after q_g grew by exp(eta (L_g + C / sqrt(n_g))); q sums to 1, and L_g is
        0 for a group that the batch has no row of.
        """
        group = state.group.gather(1, batch.rows)
        means, _ = grouped_means(cross_entropy(logits, batch.y), group, state.groups)
        grown = state.q * (self.eta * (means.detach() + state.bonus)).exp()
        state.q = grown / grown.sum(1, keepdim=True)
        return (state.q * means).sum(1, keepdim=True)
