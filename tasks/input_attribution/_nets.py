"""The nets that are explained, and those that are trained on what is left of pictures.

Shapes: K nets, N pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch

from bench.training import optimisers
from bench.training.rows import beside
from bench.training.stack import StackedMLP
from bench.training.supervised import cross_entropy

Attack = Callable[[StackedMLP, torch.Tensor, torch.Tensor], torch.Tensor]


def trained(
    x: torch.Tensor,
    y: torch.Tensor,
    widths: Sequence[int],
    inits: Sequence[AbstractContextManager[None]],
    orders: Sequence[torch.Generator],
    *,
    epochs: int,
    batch: int = 128,
    lr: float = 1e-3,
    attack: Attack | None = None,
) -> StackedMLP:
    """Return K nets after so many epochs of Adam, each on pictures of its own.

    Args:
        x: pictures (K, N, ...).
        y: labels (N,).
        widths: of the hidden layers and of the outputs.
        inits: one context a net, inside which it is drawn.
        orders: one generator a net, on the CPU.
        epochs: passes.
        batch: rows of a step.
        lr: learning rate.
        attack: what changes the pictures of a step (K, B, ...) first.
    """
    nets = StackedMLP((x[0, 0].numel(), *widths), inits, x.device)
    optimiser = optimisers.adam(nets.parameters(), lr)
    for _ in range(epochs):
        order = torch.stack([torch.randperm(len(y), generator=one) for one in orders])
        for rows in order.to(x.device).split(batch, 1):
            own, labels = beside(x, rows), y[rows]
            if attack is not None:
                own = attack(nets, own, labels)
            optimiser.zero_grad(set_to_none=True)
            optimisers.descend(cross_entropy(nets(own), labels))
            optimiser.step()
    return nets


def l2_pgd(radius: float, steps: int) -> Attack:
    """Return projected gradient ascent of the loss within a ball of L2 around each picture, from
    the picture on, pixels in [0, 1] (arXiv:1706.06083); a step is 2.5 radii over ``steps`` long.

    Args:
        radius: of the ball.
        steps: of the ascent.
    """

    def attacked(nets: StackedMLP, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        moved = x
        for _ in range(steps):
            moved = moved.detach().requires_grad_()
            loss = cross_entropy(nets(moved), y).sum()
            [gradient] = torch.autograd.grad(loss, moved)
            moved = moved.detach() + 2.5 * radius / steps * _direction(gradient)
            away = moved - x
            moved = x + away * (radius / _length(away).clamp_min(radius))
            moved = moved.clamp(0, 1)
        return moved

    return attacked


def _length(x: torch.Tensor) -> torch.Tensor:
    """Return the length of each picture of (K, B, ...), as (K, B, 1, ...)."""
    return x.flatten(2).norm(dim=2).view(*x.shape[:2], *[1] * (x.dim() - 2))


def _direction(x: torch.Tensor) -> torch.Tensor:
    return x / _length(x).clamp_min(1e-12)


@torch.no_grad()
def accuracies(nets: StackedMLP, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the accuracy (K,) in percent of each net on pictures of its own (K, n, ...)."""
    return 100 * (nets(x).argmax(-1) == y).double().mean(1)
