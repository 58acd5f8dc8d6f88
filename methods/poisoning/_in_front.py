"""Models that change a picture before they read it, in training and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bench.tracks.poisoning import Batch, Model, PoisoningMethod
from bench.training.nets import StackedNet


class InFront(PoisoningMethod, frozen=True, kw_only=True):
    """Train on changed pictures, and hand over a model that changes what it is shown, too."""

    def change(self, x: torch.Tensor) -> torch.Tensor:
        """Return pictures (..., channels, height, width), each changed by itself."""
        raise NotImplementedError

    def inputs(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return the changed pictures of the batch (K, B, channels, height, width)."""
        return self.change(batch.x)

    def readout(self, state: Any, nets: StackedNet, k: int) -> Model:
        """Return net ``k`` behind the change."""
        return _Behind(self.change, nets.member(k))


class _Behind(nn.Module):
    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor], net: nn.Module) -> None:
        super().__init__()
        self.change, self.net = change, net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.net(self.change(x))
        return found
