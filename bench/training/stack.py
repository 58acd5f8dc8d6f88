"""Several equal nets as one module: parameters carry a leading member axis, one batched operation serves all members."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable


class _Affine(torch.autograd.Function):
    """x W^T + b for every member. Written out because autograd's own backward of ``baddbmm`` makes each gradient transposed and copies it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias, x, weight.mT)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        x, weight = ctx.saved_tensors
        inner = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        return inner, torch.bmm(gradient.mT, x), gradient.sum(1, keepdim=True)


class StackedMLP(nn.Module):
    """K multilayer perceptrons with ReLU between layers, as batched matrix products.

    For K >= 2 a member's numbers do not depend on how many members stand beside it (CPU, one thread).

    Args:
        sizes: widths from input to output, e.g. ``(64, 256, 10)``.
        inits: one context a member, inside which it is drawn (He-uniform weights, zero biases).
        device: where the parameters live.
    """

    def __init__(self, sizes: Sequence[int], inits: Sequence[AbstractContextManager[None]], device: torch.device) -> None:
        super().__init__()
        self.members = len(inits)
        drawn: list[list[torch.Tensor]] = []
        for init in inits:
            with init:
                layers = [torch.empty(out, inner) for inner, out in itertools.pairwise(sizes)]
                for layer in layers:
                    nn.init.kaiming_uniform_(layer, nonlinearity="relu")
            drawn.append(layers)
        self.weights = nn.ParameterList(nn.Parameter(torch.stack(layer).to(device)) for layer in zip(*drawn, strict=True))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(self.members, 1, out, device=device)) for out in sizes[1:])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, ...) to outputs (K, B, sizes[-1]), member by member."""
        x = x.flatten(2)
        for position, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = _Affine.apply(x.relu() if position else x, weight, bias)  # type: ignore[no-untyped-call]
        return x

    def member(self, k: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return member ``k`` as a map from inputs (n, ...) to outputs (n, sizes[-1]); it follows the member's training."""
        return Member(self, k)


class Member(nn.Module):
    """One member of a stack, seen as a net of its own."""

    def __init__(self, stack: StackedMLP, k: int) -> None:
        super().__init__()
        self._layers = [(weight.detach()[k], bias.detach()[k, 0]) for weight, bias in zip(stack.weights, stack.biases, strict=True)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to outputs (n, sizes[-1])."""
        x = x.flatten(1)
        for position, (weight, bias) in enumerate(self._layers):
            x = nn.functional.linear(x.relu() if position else x, weight, bias)
        return x
