"""Self-training of linear classifiers against the worst rows nearby (arXiv:2310.00027)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from bench import Run
from bench.tracks.semi_supervised import Problem

from ._symmetric import rows_of


def worst_loss(margin: torch.Tensor, w: torch.Tensor, gamma: float) -> torch.Tensor:
    """Return to first order sup over z of log(1 + exp(-y w z)) - gamma |z - x|^2: the margin y w x
    is lower by s |w|^2 / (2 gamma), s = sigma(-margin), and the move costs s^2 |w|^2 / (4 gamma).

    Args:
        margin: (K, ...).
        w: weights (K, D).
        gamma: price of a move, above 0; infinite: none moves.
    """
    if math.isinf(gamma):
        return F.softplus(-margin)
    size = w.square().sum(-1).view(-1, *[1] * (margin.dim() - 1))
    slope = (-margin).sigmoid()
    return F.softplus(slope * size / (2 * gamma) - margin) - slope.square() * size / (4 * gamma)


def trained(
    problems: Sequence[Problem],
    runs: Sequence[Run],
    name: str,
    *,
    gamma: float,
    weight: float,
    steps: int,
    lr: float,
) -> torch.Tensor:
    """Return weights (K, D) that minimise the mean worst loss of labelled rows, and of the pool
    under the better of the two labels.
    """
    x, sign, u = rows_of(problems, runs, name)
    w = (sign[..., None] * x).mean(1).requires_grad_()
    optimiser = torch.optim.Adam([w], lr)
    for _ in range(steps):
        loss = worst_loss(sign * (x @ w[..., None])[..., 0], w, gamma).mean(1)
        if u.shape[1]:
            # the loss falls with the margin, so that the better label is the one of its sign
            margin = (u @ w[..., None])[..., 0].abs()
            loss = loss + weight * worst_loss(margin, w, gamma).mean(1)
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimiser.step()
    rows = steps * (x.shape[1] + u.shape[1])
    for run in runs:
        run.count(forward=rows, backward=rows)
    return w.detach()
