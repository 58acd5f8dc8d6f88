"""Classifiers made of a net and a change of its logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from bench.training.stack import MemberNet


class Changed(nn.Module):
    """A net whose logits are changed; its features are as they were.

    Args:
        net: maps inputs (n, ...) to logits (n, C).
        change: maps logits (n, C) to logits.
    """

    def __init__(self, net: MemberNet, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.net, self.change = net, change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the changed logits (n, C) of inputs (n, ...)."""
        return self.change(self.net(x))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the last layer reads, (n, D)."""
        return self.net.features(x)
