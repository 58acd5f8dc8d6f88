"""The nearest mean of a class, on the inputs: what a net has to beat."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from bench import MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members, Model


class _State:
    """The sum of each class's rows (K, C, d), and how many there were (K, C)."""

    def __init__(self, members: Members) -> None:
        inputs, classes = members.sizes[0], members.sizes[-1]
        self.sums = torch.zeros(members.members, classes, inputs, device=members.device)
        self.counts = torch.zeros(members.members, classes, device=members.device)


class NearestMean(ContinualMethod):
    """Keep the running mean of each class, and call a row by the nearest: no net, and no rows."""

    card: ClassVar = MethodCard(
        name="nearest-mean",
        title="Nearest class mean on the inputs",
        track="continual",
        signal="labels",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def start(self, members: Members) -> _State:
        """Return sums of nothing."""
        return _State(members)

    def step(self, state: Any, members: Members, batch: Chunk) -> None:
        """Add the batch."""
        own = nn.functional.one_hot(batch.y, state.counts.shape[1]).to(batch.x)
        state.sums += own.mT @ batch.x.flatten(2)
        state.counts += own.sum(1)
        members.count(forward=batch.y.shape[1])

    def readout(self, state: _State, members: Members, k: int) -> Model:
        """Return the rule of the means so far."""
        means = state.sums[k] / state.counts[k, :, None].clamp_min(1)
        return Means(means, state.counts[k] > 0)


class Means(nn.Module):
    """Minus the squared distance from each mean (C, d); classes without rows come last."""

    def __init__(self, means: torch.Tensor, known: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("means", means)
        self.register_buffer("known", known)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (n, C) for rows (n, ...)."""
        apart = torch.cdist(x.flatten(1), self.means).square()
        return torch.where(self.known, -apart, -1e9)
