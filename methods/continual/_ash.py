"""One wide hidden layer without biases, of which few units are on for any row, and its optimiser
(arXiv:2404.17651).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from torch import nn

from bench import Meta
from bench.tracks.continual import ContinualMethod, Members
from bench.training.stack import MemberNet, StackedNet

Activation = Callable[[torch.Tensor], torch.Tensor]


class WideNets(StackedNet):
    """K nets with one hidden layer, whose weights are centred and scaled to length 1 unit by unit
    in the forward pass.

    Args:
        members: the seeds; weights are drawn with variance 2 / inputs.
        width: hidden units.
        activation: from what units read (..., width) to what they give.
    """

    def __init__(self, members: Members, width: int, activation: Activation) -> None:
        super().__init__()
        self.members, self.activation = members.members, activation
        inner, outputs = members.sizes[0], members.sizes[-1]
        drawn = []
        for run in members.runs:
            with run.seeded("init"):
                drawn.append(
                    (
                        torch.randn(width, inner) * (2 / inner) ** 0.5,
                        torch.randn(outputs, width) * (2 / width) ** 0.5,
                    )
                )
        self.hidden, self.out = (
            nn.Parameter(torch.stack(layer).to(members.device))
            for layer in zip(*drawn, strict=True)
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, ...) to the hidden layer (K, B, width)."""
        return self.activation(x.flatten(2) @ unit(self.hidden).mT)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map the hidden layer (K, B, width) to logits (K, B, C)."""
        return features @ self.out.mT

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own."""
        return _Member(self, k)


class _Member(MemberNet):
    def __init__(self, nets: WideNets, k: int) -> None:
        super().__init__()
        self.nets = [nets]  # no submodule: it holds no parameters
        self.k = k
        self.eval()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        nets = self.nets[0]
        return nets.activation(x.flatten(1) @ unit(nets.hidden.detach()[self.k]).mT)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return features @ self.nets[0].out.detach()[self.k].mT


def unit(weights: torch.Tensor) -> torch.Tensor:
    """Return weights (..., inputs), centred and of length 1 for every unit."""
    apart = weights - weights.mean(-1, keepdim=True)
    return apart / apart.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def above(h: torch.Tensor, alpha: float, z: float) -> torch.Tensor:
    """Return alpha (h - mu - z s), with mean and standard deviation over the units of a row."""
    mean = h.mean(-1, keepdim=True)
    spread = h.std(-1, keepdim=True, correction=0)
    return alpha * (h - mean - z * spread)


class ClippedAdagrad(torch.optim.Optimizer):
    """Adagrad whose every move is at most ``most``.

    Args:
        parameters: to be moved.
        lr: learning rate.
        most: largest move of a number in a step.
        start: what the sum of squared gradients starts from.
    """

    def __init__(
        self, parameters: list[torch.Tensor], lr: float, most: float, start: float = 1e-6
    ) -> None:
        super().__init__(parameters, {"lr": lr})
        self.most = most
        self.sums = [torch.full_like(own, start) for own in parameters]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Move every parameter."""
        for group in self.param_groups:
            for own, total in zip(group["params"], self.sums, strict=True):
                total.addcmul_(own.grad, own.grad)
                move = (group["lr"] * own.grad / total.sqrt()).clamp_(-self.most, self.most)
                own -= move


class WideNet(ContinualMethod, frozen=True, kw_only=True):
    """Naive training of the wide net by Adagrad."""

    width: Annotated[int, Meta(ge=1)] = 1000
    """Units of the hidden layer."""
    lr: Annotated[float, Meta(gt=0)] = 3e-3
    """Rate of Adagrad."""
    most: Annotated[float, Meta(gt=0)] = 0.01
    """Largest move of a weight in a step."""

    def activate(self, h: torch.Tensor) -> torch.Tensor:
        """Return what units give (..., width) of what they read."""
        raise NotImplementedError

    def net(self, members: Members) -> WideNets:
        """Return wide nets."""
        return WideNets(members, self.width, self.activate)

    def optimiser(self, members: Members) -> torch.optim.Optimizer:
        """Return Adagrad."""
        return ClippedAdagrad(list(members.nets.parameters()), self.lr, self.most)
