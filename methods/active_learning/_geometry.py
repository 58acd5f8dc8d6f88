"""Rows that lie apart: what several methods choose by distances.

Shapes: m open rows, n centres.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Distances = Callable[[int], torch.Tensor]
"""From a place among the open rows to its squared distances from all of them (m,)."""
_BLOCK = 256
"""Centres whose distances are computed at once."""


def to(x: torch.Tensor) -> Distances:
    """Return squared distances between the rows of x (m, d)."""
    norms = x.square().sum(1)

    def distances(place: int) -> torch.Tensor:
        return (norms + norms[place] - 2 * (x @ x[place])).clamp_min_(0)

    return distances


def nearest(x: torch.Tensor, centres: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return for each row of x (m, d) its squared distance (m,) from the nearest of the centres
    (n, d), infinite where there is none, and which that is (m,), the first of equal ones.
    """
    best = x.new_full((len(x),), torch.inf)
    owner = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    norms = x.square().sum(1)[:, None]
    for start in range(0, len(centres), _BLOCK):
        part = centres[start : start + _BLOCK]
        apart = (norms + part.square().sum(1) - 2 * x @ part.T).clamp_min_(0)
        least, place = apart.min(1)
        closer = least < best
        best = torch.where(closer, least, best)
        owner = torch.where(closer, place + start, owner)
    return best, owner


def farthest_first(
    distances: Distances, best: torch.Tensor, count: int, first: int | None = None
) -> torch.Tensor:
    """Return ``count`` places, each the farthest from the centres and from those before it.

    Args:
        distances: squared, from a place to all.
        best: squared distances from the nearest centre (m,).
        count: places to choose, at most m.
        first: the place to begin with; None: the farthest.
    """
    best, chosen = best.clone(), []
    for _ in range(count):
        place = int(best.argmax()) if chosen or first is None else first
        chosen.append(place)
        best = torch.minimum(best, distances(place))
        best[chosen] = -1.0
    return torch.tensor(chosen, device=best.device)


def k_means_plus_plus(
    distances: Distances,
    best: torch.Tensor,
    count: int,
    drawn: torch.Generator,
    first: int | None = None,
) -> torch.Tensor:
    """Return ``count`` places, each drawn in proportion to its squared distance from the centres
    and from those before it; where all of these are 0, each as likely.

    Args:
        distances: squared, from a place to all.
        best: squared distances from the nearest centre (m,), infinite where there is none yet.
        count: places to choose, at most m.
        drawn: draws them.
        first: the place to begin with; None: it is drawn like the others.
    """
    best, chosen = best.clone(), []
    for _ in range(count):
        if first is not None and not chosen:
            place = first
        else:
            place = _drawn(best, chosen, drawn)
        chosen.append(place)
        best = torch.minimum(best, distances(place))
        best[chosen] = 0.0
    return torch.tensor(chosen, device=best.device)


def _drawn(weights: torch.Tensor, taken: list[int], drawn: torch.Generator) -> int:
    if not bool(weights.isfinite().all()) or not bool((weights > 0).any()):
        weights = torch.ones_like(weights)
        weights[taken] = 0.0
    sums = weights.double().cumsum(0)
    place = torch.rand((), generator=drawn, device=drawn.device, dtype=torch.float64)
    found = int(torch.searchsorted(sums, place.to(sums.device) * sums[-1], right=True))
    # rounding may end on a row of weight 0 at the end
    return min(found, int(weights.nonzero()[-1]))
