"""Optimisers of stacks of nets whose numbers don't depend on how many nets there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

_VECTOR = 16
"""Numbers that the widest registers of a CPU hold."""


def sgd(
    parameters: Iterable[torch.Tensor], lr: float, momentum: float, weight_decay: float
) -> torch.optim.SGD:
    """Return SGD for parameters (M, ...), momentum in [0, 1)."""
    return torch.optim.SGD(_groups(parameters), lr=lr, momentum=momentum, weight_decay=weight_decay)


def adam(parameters: Iterable[torch.Tensor], lr: float) -> torch.optim.Adam:
    """Return Adam for parameters (M, ...)."""
    return torch.optim.Adam(_groups(parameters), lr)


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Let the next steps have the rate ``lr``."""
    for group in optimiser.param_groups:
        group["lr"] = lr


def _groups(parameters: Iterable[torch.Tensor]) -> list[dict[str, Any]]:
    """Return the parameters in two groups: those that one fused kernel updates, and the others.

    On a CPU the fused kernel takes what is left of a tensor after its last whole vector by other
    instructions, and which net that is of depends on how many there are. Where a net's share of a
    tensor is of whole vectors nothing is left.
    """
    groups: list[dict[str, Any]] = [{"params": [], "fused": fused} for fused in (True, False)]
    for parameter in parameters:
        whole = parameter.is_cuda or parameter[0].numel() % _VECTOR == 0
        groups[0 if whole else 1]["params"].append(parameter)
    return [group for group in groups if group["params"]]


def descend(losses: torch.Tensor) -> None:
    """Take the gradient of the sum of means over the last axis of losses (..., B)."""
    share = 1 / losses.shape[-1] if losses.dim() else 1.0
    # handed over, since to take means and a sum only for their gradient costs a small net's step
    losses.backward(losses.new_full((), share).expand_as(losses))
