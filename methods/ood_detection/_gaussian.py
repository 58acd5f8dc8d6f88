"""Distances of features from means, in units of their spread.

Shapes: N training rows, n rows, C classes, D features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

CUT = 1e-6
"""Directions with less than this share of the largest variance do not count: some units of a net
with ReLU are 0 for all training rows.
"""

Distance = Callable[[torch.Tensor], torch.Tensor]


def within_classes(h: torch.Tensor, y: torch.Tensor, n_classes: int) -> Distance:
    """Return the squared Mahalanobis distance of features (n, D) from the nearest class mean (n,),
    with one covariance, of features less the mean of their class.

    Args:
        h: features of the training rows (N, D).
        y: their labels (N,).
        n_classes: C.

    Source: arXiv:1807.03888, equations 1 and 2.
    """
    h = h.double()
    member = torch.nn.functional.one_hot(y, n_classes).double()
    means = member.T @ h / member.sum(0).clamp_min(1)[:, None]
    precision = _precision(h - means[y])
    there = member.sum(0) > 0

    def distance(other: torch.Tensor) -> torch.Tensor:
        # in the coordinates of the precision's root the distance is Euclidean
        apart = other.double()[:, None] - means[there]
        return (apart @ precision).square().sum(2).amin(1)

    return distance


def overall(h: torch.Tensor) -> Distance:
    """Return the squared Mahalanobis distance of features (n, D) from the mean of all training rows
    (N, D), (n,).

    Source: arXiv:2106.09022, equation 2.
    """
    h = h.double()
    mean = h.mean(0)
    root = _precision(h - mean)
    return lambda other: ((other.double() - mean) @ root).square().sum(1)


def _precision(centred: torch.Tensor) -> torch.Tensor:
    """Return a root R (D, r) of the pseudo-inverse of the covariance of centred features, R R^T."""
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    kept = values > CUT * values.amax().clamp_min(1e-300)
    return vectors[:, kept] / values[kept].sqrt()
