"""Logarithms of the shares of classes, and nets whose logits are shifted by them."""

from __future__ import annotations

import torch
from torch import nn

from bench.tracks.long_tail import class_sizes
from bench.training.recipe import Seeds
from bench.training.stack import MemberNet


def log_priors(seeds: Seeds) -> torch.Tensor:
    """Return the logarithm of each class's share of the training rows (K, C)."""
    sizes = class_sizes(seeds)
    return (sizes / sizes.sum(-1, keepdim=True)).log()


class Shifted(nn.Module):
    """A net whose logits are shifted by a number for each class, ``by`` (C,)."""

    def __init__(self, net: MemberNet, by: torch.Tensor) -> None:
        super().__init__()
        self.net = net
        self.__dict__["by"] = by

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, C) of inputs (n, ...)."""
        found: torch.Tensor = self.net(x) + self.by
        return found

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the last layer reads, (n, D)."""
        return self.net.features(x)
