"""Mixtures of two Gaussians on a line, fitted to many samples at once."""

from __future__ import annotations

import math

import torch

_LOG_2PI = math.log(2 * math.pi)
_TINY = 10 * torch.finfo(torch.float64).eps
"""Keeps the weight of a component without rows above zero."""


def lower_component(
    x: torch.Tensor, *, rounds: int = 10, tolerance: float = 1e-2, floor: float = 5e-4
) -> torch.Tensor:
    """Return for each number the posterior probability of the component with the lower mean, of the
    shape of ``x``, float64.

    Each sample has a mixture of its own, fitted by expectation maximisation as scikit-learn's
    ``GaussianMixture`` does it, but started from the split into two means that begins at the
    sample's ends. The defaults are those of LiJunnan1992/DivideMix (arXiv:2002.07394).

    Args:
        x: samples (..., N), finite.
        rounds: steps of expectation maximisation at most.
        tolerance: a sample is done with the step that changes its mean log likelihood by less.
        floor: added to every variance.
    """
    x = x.double()
    weight, mean, variance = _maximised(x, _two_means(x), floor)
    bound = x.new_full(x.shape[:-1], -math.inf)
    going = torch.ones_like(bound, dtype=torch.bool)
    for _ in range(rounds):
        share, likelihood = _expected(x, weight, mean, variance)
        weight, mean, variance = (
            torch.where(going[..., None], new, old)
            for new, old in zip(_maximised(x, share, floor), (weight, mean, variance), strict=True)
        )
        going &= ~((likelihood - bound).abs() < tolerance)
        bound = likelihood
        if not going.any():
            break
    share, _ = _expected(x, weight, mean, variance)
    first = mean[..., :1] <= mean[..., 1:] + 1e-9  # of equal ones the first
    return torch.where(first, share[..., 0, :], share[..., 1, :])


def _two_means(x: torch.Tensor) -> torch.Tensor:
    """Return which of two means each number is nearer to, (..., 2, N), by Lloyd's steps from the
    lowest and the highest number.
    """
    means = torch.stack([x.amin(-1), x.amax(-1)], -1)
    while True:
        lower = x <= means.mean(-1, keepdim=True)
        share = torch.stack([lower, ~lower], -2).double()
        count = share.sum(-1)
        found = torch.where(count > 0, (share * x[..., None, :]).sum(-1) / count, means)
        if torch.equal(found, means):
            return share
        means = found


def _maximised(
    x: torch.Tensor, share: torch.Tensor, floor: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return weights, means and variances (..., 2) for shares (..., 2, N) of both components."""
    count = share.sum(-1) + _TINY
    # a component without rows lies where the highest number is
    mean = ((share * x[..., None, :]).sum(-1) + _TINY * x.amax(-1, keepdim=True)) / count
    squares = (share * (x[..., None, :] - mean[..., None]) ** 2).sum(-1)
    return count / count.sum(-1, keepdim=True), mean, squares / count + floor


def _expected(
    x: torch.Tensor, weight: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the shares of both components in each number (..., 2, N), and the mean log likelihood
    of each sample (...,).
    """
    distance = (x[..., None, :] - mean[..., None]) ** 2 / variance[..., None]
    log_density = weight.log()[..., None] - 0.5 * (_LOG_2PI + variance.log()[..., None] + distance)
    return log_density.softmax(-2), log_density.logsumexp(-2).mean(-1)
