"""What methods share that pull weights to a point: copies of weights, terms of a gradient."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from bench.training.stack import StackedNet


def values(nets: nn.Module) -> list[torch.Tensor]:
    """Return copies of all parameters (K, ...)."""
    return [parameter.detach().clone() for parameter in nets.parameters()]


def pull(nets: nn.Module, terms: Iterable[torch.Tensor]) -> None:
    """Add a term to the gradient of each parameter, tensors (K, ...)."""
    for parameter, term in zip(nets.parameters(), terms, strict=True):
        assert parameter.grad is not None
        parameter.grad += term


def moved(nets: nn.Module, point: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return how far each parameter is from a point, tensors (K, ...)."""
    return [own.detach() - then for own, then in zip(nets.parameters(), point, strict=True)]


def frozen(nets: StackedNet) -> StackedNet:
    """Return the nets as they are now, apart from those that go on learning."""
    other = copy.deepcopy(nets)
    for parameter in other.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    return other
