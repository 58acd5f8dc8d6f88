"""How many seeds would decide a pair that is undecided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._aggregate import Array
from ._family import Family

POWER = 0.9
MOST = 50
"""Seeds beyond which no number is given."""
PRIOR = 8
"""Degrees of freedom that the family's mean variance counts for beside a pair's own."""
_LEVELS, _NODES, _STEPS = 12, 48, 14


def seeds_needed(found: Family) -> NDArray[np.int64]:
    """Return how many seeds in all would decide each pair of a family, planned for a power of 90 %.

    A pair is planned at the level that it must pass in Holm's order. What few seeds say of it would
    promise too much: pairs that look decidable are those whose difference came out large and whose
    spread came out small. So differences are shrunk by the share of their variance over the family
    that is not noise, and a spread below the family's is raised towards it.

    Returns:
        (P,) the fewest seeds, always more than were run; ``MOST + 1``: more than 50; 0: the pair is
        decided, or its difference is below delta and there is nothing to find.
    """
    needed = np.zeros(len(found.mean), np.int64)
    open_ = (
        (found.state == 0)
        & (np.abs(found.mean) >= found.delta)
        & (found.mean != 0)
        & (found.error > 0)
    )
    if not open_.any():
        return needed
    variance = found.error**2
    typical = variance.mean()
    signal = max(0.0, 1 - typical / (found.mean**2).mean())
    planned = np.maximum(variance, (found.df * variance + PRIOR * typical) / (found.df + PRIOR))
    away = signal * np.abs(found.mean) / np.sqrt(planned * found.seeds)
    needed[open_] = seeds_for(
        away[open_], found.level[open_], found.seeds, found.df / (found.seeds - 1)
    )
    return needed


def seeds_for(away: Array, level: Array, run: int, freedom: float) -> NDArray[np.int64]:
    """Return the fewest seeds, more than ``run``, with which a t test finds differences with a
    power of 90 %; ``MOST + 1``: more than 50.

    Args:
        away: (P,) sizes of the differences, in deviations of one seed.
        level: (P,) of the tests, two-sided.
        run: seeds there are.
        freedom: degrees of freedom that each seed after the first adds.
    """
    needed = np.full(len(away), MOST + 1, np.int64)
    seeds = np.arange(run + 1, MOST + 1)
    if not seeds.size or not len(away):
        return needed
    levels = np.unique(level)
    if len(levels) > _LEVELS:
        levels = np.geomspace(levels[0], levels[-1], _LEVELS)
    limits = np.log(detectable(freedom * (seeds - 1), levels))
    for place in range(len(seeds))[::-1]:
        enough = away * np.sqrt(seeds[place]) >= np.exp(
            np.interp(np.log(level), np.log(levels), limits[place])
        )
        needed[enough] = seeds[place]
    return needed


def detectable(df: Array, levels: Array) -> Array:
    """Return the least distance of the mean from 0, in standard errors, that a two-sided t test
    finds with a power of 90 %.

    Args:
        df: (K,) degrees of freedom.
        levels: (L,) of the test.

    Returns:
        (K, L), by bisection; the side that is not the true one is left out.
    """
    from scipy.special import chdtr, ndtr, stdtrit

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    free = df[:, None, None]
    critical = stdtrit(df[:, None], 1 - levels / 2)[..., None]

    def power(away: Array) -> Array:
        """Integrate over the normal numerator z the chance that the root
        of chi^2 / df stays below (z + away) / critical.
        """
        z = 5 * nodes
        reached = np.maximum(z + away[..., None], 0)
        density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        return np.asarray(
            (5 * weights * density * chdtr(free, free * (reached / critical) ** 2)).sum(-1)
            / (2 * ndtr(5.0) - 1)
        )

    low, high = np.zeros(critical.shape[:2]), 3 * critical[..., 0] + 6
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = power(middle) >= POWER
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high
