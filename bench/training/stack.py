"""Several equal nets as one module: parameters carry a leading member axis.

What every stack offers, and the multilayer perceptron.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn


class _Affine(torch.autograd.Function):
    """x W^T + b for every member.

    Written out because autograd's own backward of ``baddbmm`` makes each gradient transposed and
    copies it.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias, x, weight.mT)

    @staticmethod
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad
        return (
            torch.bmm(gradient, weight) if to_x else None,
            torch.bmm(gradient.mT, x) if to_weight else None,
            gradient.sum(1, keepdim=True) if to_bias else None,
        )


def affine(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return x W^T + b, (K, B, out), for inputs (K, B, in), weights (K,
    out, in) and biases (K, 1, out).
    """
    found: torch.Tensor = _Affine.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return found


class StackedNet(nn.Module):
    """K equal nets as one module, each deaf to the others: a member's gradient is that of its own
    outputs alone.

    Every parameter and every buffer has the member axis first, so what is done element by element
    (an optimiser, a moving average, ``copy.deepcopy``) is done to all members at once.

    Attributes:
        members: K.
    """

    members: int

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, ...) to outputs (K, B, C), member by member."""
        return self.head(self.features(x))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, ...) to what the last layer reads, (K, B, D)."""
        raise NotImplementedError

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, D) to outputs (K, B, C)."""
        raise NotImplementedError

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own.

        It follows the member's training, holds no parameters, and starts in eval mode.
        """
        raise NotImplementedError


class MemberNet(nn.Module):
    """One member of a stack, seen as a net of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to outputs (n, C)."""
        return self.head(self.features(x))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to what the last layer reads, (n, D)."""
        raise NotImplementedError

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (n, D) to outputs (n, C)."""
        raise NotImplementedError


class StackedMLP(StackedNet):
    """K multilayer perceptrons with ReLU between layers, as batched matrix products.

    For K >= 2 a member's numbers do not depend on how many members stand beside it (CPU, one
    thread).

    Args:
        sizes: widths from input to output, e.g. ``(64, 256, 10)``.
        inits: one context a member, inside which it is drawn (He-uniform weights, zero biases).
        device: where the parameters live.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        inits: Sequence[AbstractContextManager[None]],
        device: torch.device,
    ) -> None:
        super().__init__()
        self.members = len(inits)
        drawn: list[list[torch.Tensor]] = []
        for init in inits:
            with init:
                layers = [torch.empty(out, inner) for inner, out in itertools.pairwise(sizes)]
                for layer in layers:
                    nn.init.kaiming_uniform_(layer, nonlinearity="relu")
            drawn.append(layers)
        self.weights = nn.ParameterList(
            nn.Parameter(torch.stack(layer).to(device)) for layer in zip(*drawn, strict=True)
        )
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(self.members, 1, out, device=device)) for out in sizes[1:]
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, ...) to the last hidden layer after its ReLU, (K, B, sizes[-2])."""
        x = x.flatten(2)
        *hidden, _ = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            x = affine(x, weight, bias).relu_()
        return x

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map the last hidden layer (K, B, D) to outputs (K, B, C)."""
        return affine(features, self.weights[-1], self.biases[-1])

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own."""
        return _MemberMLP(self, k)


class _MemberMLP(MemberNet):
    def __init__(self, stack: StackedMLP, k: int) -> None:
        super().__init__()
        self._layers = [
            (weight.detach()[k], bias.detach()[k, 0])
            for weight, bias in zip(stack.weights, stack.biases, strict=True)
        ]
        self.eval()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        for weight, bias in self._layers[:-1]:
            x = nn.functional.linear(x, weight, bias).relu()
        return x

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(features, *self._layers[-1])
