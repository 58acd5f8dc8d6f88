"""Several nets of a seed, trained side by side, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import nn

from bench import Meta
from bench.tracks.group_shift import Batch, GroupMethod, Model, cross_entropy
from bench.training.stack import StackedNet


class Vote(nn.Module):
    """Classifiers as one: the logarithm of the mean of their probabilities."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to logits (n, C)."""
        said = torch.stack([member(x).log_softmax(-1) for member in self.members])
        return said.logsumexp(0).log_softmax(-1)


class SeveralNets(GroupMethod):
    """The baseline with several nets, which see the batches in one order."""

    members: Annotated[int, Meta(ge=1)] = 4
    """Nets of a seed."""

    @property
    def nets(self) -> int:  # type: ignore[override]
        """Nets trained side by side for each seed."""
        return self.members

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy of each net."""
        return cross_entropy(logits, batch.y.expand(logits.shape[:-1]))

    def readout(self, state: Any, nets: StackedNet, k: int) -> Model:
        """Return all nets of member ``k`` as one classifier."""
        seeds = nets.members // self.members
        members: list[Any] = [nets.member(net * seeds + k) for net in range(self.members)]
        return members[0] if self.members == 1 else Vote(members)
