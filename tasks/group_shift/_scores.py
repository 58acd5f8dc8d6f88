"""What is computed of predictions: accuracies of groups, and what features and solutions say.

Shapes: n rows, C classes, A values of the attribute, G = C * A groups.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from bench.training.state import evaluating

_BINS = 15
_SURE = 1.959964
"""Standard deviations of a 95 % interval."""


def shares(
    right: torch.Tensor, group: torch.Tensor, groups: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how many rows of each group are right and how many there are, both (G,) int64.

    Args:
        right: whether a row is predicted right (n,), bool.
        group: number of its group (n,), int64.
        groups: G.
    """
    return group[right].bincount(minlength=groups), group.bincount(minlength=groups)


def worst(right: torch.Tensor, group: torch.Tensor, groups: int) -> tuple[float, int, int]:
    """Return the accuracy of the worst group in percent, how many of its rows are right, and how
    many there are; groups without rows do not count.
    """
    hits, sizes = (part.tolist() for part in shares(right, group, groups))
    accuracy, hit, size = min(
        (hit / size, hit, size) for hit, size in zip(hits, sizes, strict=True) if size
    )
    return 100 * accuracy, hit, size


def mean_of_groups(right: torch.Tensor, group: torch.Tensor, groups: int) -> float:
    """Return the mean over groups with rows of their accuracies, in percent."""
    hits, sizes = shares(right, group, groups)
    found = sizes > 0
    return 100 * float((hits[found].double() / sizes[found]).mean())


def weighted(
    right: torch.Tensor, group: torch.Tensor, groups: int, weights: torch.Tensor
) -> float | None:
    """Return the mean of the groups' accuracies in percent by ``weights`` (G,), over groups that
    have rows; None where those weigh nothing.
    """
    hits, sizes = shares(right, group, groups)
    found = sizes > 0
    total = float(weights[found].sum())
    if not total:
        return None
    return 100 * float((weights[found] * hits[found] / sizes[found]).sum()) / total


def wilson(hits: int, size: int) -> tuple[float, float]:
    """Return the 95 % interval of a share in percent (doi:10.1080/01621459.1927.10502953)."""
    z2, p = _SURE**2, hits / size
    centre, spread = p + z2 / (2 * size), math.sqrt(p * (1 - p) / size + z2 / (4 * size**2))
    low, high = ((centre + sign * _SURE * spread) / (1 + z2 / size) for sign in (-1, 1))
    return 100 * max(0.0, low), 100 * min(1.0, high)


def calibration_error(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Return the expected calibration error in percent over 15 bins of equal width
    (arXiv:1706.04599), of logits (n, C) and labels (n,).
    """
    sure, said = logits.double().softmax(-1).max(-1)
    place = (sure * _BINS).ceil().long().clamp(1, _BINS) - 1
    off = (said == y).double() - sure
    return 100 * float(off.new_zeros(_BINS).index_add(0, place, off).abs().sum()) / len(y)


def parity_gap(said: torch.Tensor, attribute: torch.Tensor) -> float | None:
    """Return by how many points the share of rows (n,) called 1 differs most between values of the
    attribute (n,); None where it has one value.
    """
    rates = [float((said[attribute == a] == 1).double().mean()) for a in attribute.unique()]
    return 100 * (max(rates) - min(rates)) if len(rates) > 1 else None


def explained(features: torch.Tensor, labels: torch.Tensor) -> float | None:
    """Return the share of the features' variance that lies between the means of the labels' values:
    R^2 of least squares from one-hot labels (n,) to centred features (n, D). Rotating features
    does not change it. None for features that do not vary.
    """
    centred = features.double() - features.double().mean(0)
    total = float(centred.square().sum())
    if not total:
        return None
    groups = int(labels.max()) + 1
    sums = centred.new_zeros(groups, centred.shape[1]).index_add(0, labels, centred)
    counts = labels.bincount(minlength=groups).clamp_min(1)[:, None]
    return float((sums.square() / counts).sum()) / total


def features_of(model: Any, x: torch.Tensor) -> torch.Tensor | None:
    """Return what the model's last layer reads of rows x (n, ...), (n, D); None for a model without
    ``features``, or where they are no rows of finite numbers.
    """
    read = getattr(model, "features", None)
    if not callable(read):
        return None
    with evaluating(model):
        found = read(x.clone())
    plain = isinstance(found, torch.Tensor) and found.dim() == 2 and len(found) == len(x)
    return found.clone() if plain and bool(found.isfinite().all()) else None


def found_minority(solution: Any, conflict: torch.Tensor) -> dict[str, float | None]:
    """Return precision and recall in percent of the rows that a solution believes to be minority.

    Where it does not say it outright, these are the rows of highest weight, as many as there are.

    Args:
        solution: with ``minority`` or ``weight`` of the training rows (n,).
        conflict: whether a training row contradicts the shortcut (n,), bool.
    """
    said = solution.minority
    if said is None and solution.weight is not None:
        said = torch.zeros_like(conflict)
        said[solution.weight.argsort(descending=True, stable=True)[: int(conflict.sum())]] = True
    if said is None or not conflict.any():
        return {}
    both = int((said & conflict).sum())
    return {
        "minority_prec": 100 * both / int(said.sum()) if said.any() else None,
        "minority_rec": 100 * both / int(conflict.sum()),
    }
