"""The board's statistics: means over seeds, t intervals, paired differences, Holm's adjustment.

Figures may overflow to infinity or have no value (``nan``); whoever shows them writes those as
null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFIDENCE = 0.95
ALPHA = 0.05
CERTAIN = 5
"""Seeds from which on two rows that never vary and are equal are the same: with fewer, coarse
figures often repeat by chance.
"""
ROUNDING = 1e-12
"""The share of a figure that rounding may leave of a difference."""


class Paired(NamedTuple):
    """What the differences of two rows say, over the seeds that both have."""

    mean: float
    low: float | None
    high: float | None
    p: float | None
    """Two-sided, in [0, 1]: of the t test, or of the sign test where all seeds show one
    difference; None of fewer than two seeds.
    """
    n: int
    """Common seeds."""
    same: bool
    """True: every difference is exactly 0."""


def mean(values: Sequence[float]) -> float:
    """Return the mean of ``values``, a sequence of length n >= 1; it does
    not depend on their order.
    """
    try:
        return math.fsum(values) / len(values)
    except (OverflowError, ValueError):
        return math.nan


def sample_sd(values: Sequence[float]) -> float | None:
    """Return the standard deviation of ``values`` with divisor n - 1; None
    for fewer than two values.
    """
    if len(values) < 2:
        return None
    if min(values) == max(values):
        return 0.0
    centre = mean(values)
    return math.hypot(*(value - centre for value in values)) / math.sqrt(len(values) - 1)


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return Student's 95 % interval for the mean of ``values``; None for fewer than two values, or
    where they do not vary.

    With 3 to 10 seeds it covers what it promises, a percentile bootstrap does not (simulated in the
    tests).
    """
    sd = sample_sd(values)
    if not sd:
        return None
    centre, half = mean(values), t_quantile(len(values) - 1) * sd / math.sqrt(len(values))
    return centre - half, centre + half


@cache
def t_quantile(df: int) -> float:
    """Return Student's 97.5 % point for ``df`` degrees of freedom."""
    from scipy.special import stdtrit  # here, because a board that is remembered needs neither

    return float(stdtrit(df, (1 + CONFIDENCE) / 2))


def t_test(values: Sequence[float]) -> float | None:
    """Return the two-sided p in [0, 1] of a mean of 0; None for fewer than two values.

    Of values that do not vary it is 1 where they all are 0, else that of :func:`sign_test`.
    """
    sd = sample_sd(values)
    if sd is None:
        return None
    if sd == 0:
        return 1.0 if values[0] == 0 else sign_test(len(values))
    from scipy.special import stdtr

    return float(2 * stdtr(len(values) - 1, -abs(mean(values) * math.sqrt(len(values)) / sd)))


def sign_test(n: int) -> float:
    """Return the two-sided p of the sign test of n >= 1 differences of one sign.

    It is what n equal differences say: without a spread the t test is void, and figures that come
    in coarse steps repeat by chance, so that equal ones say no more than their sign.
    """
    return 2.0 ** (1 - n)


def paired(ours: Mapping[int, float], theirs: Mapping[int, float], sign: int = 1) -> Paired | None:
    """Compare two rows by the differences ``sign * (ours - theirs)`` of the seeds that both have.

    Args:
        ours: seed -> figure.
        theirs: seed -> figure.
        sign: 1 where more is better, -1 where less is: a positive difference then favours ``ours``.

    Returns:
        The mean difference with its 95 % t interval, which equal differences do not have, and p;
        None if no seed is common.
    """
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return None
    differences = _settled(
        [sign * (ours[seed] - theirs[seed]) for seed in seeds],
        max(abs(side[seed]) for side in (ours, theirs) for seed in seeds),
    )
    low, high = t_interval(differences) or (None, None)
    return Paired(
        mean(differences), low, high, t_test(differences), len(differences), not any(differences)
    )


def _settled(differences: list[float], largest: float) -> list[float]:
    """Return the differences of figures up to ``largest``, all the same where rounding alone tells
    them apart: 0.4 - 0.3 is not quite 0.3 - 0.2.
    """
    grain = ROUNDING * largest
    if not 0 < max(differences) - min(differences) <= grain:
        return differences
    centre = mean(differences)
    return [centre if abs(centre) > grain else 0.0] * len(differences)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the p values adjusted by Holm's step-down rule, in [0, 1] and in the order given.

    Tests without a p (None or nan) stay None and do not count as tests. S. Holm, A simple
    sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    import numpy as np

    adjusted, _ = holm_array(np.array([math.nan if p is None else p for p in p_values], float))
    return [None if math.isnan(p) else float(p) for p in adjusted]


def holm_array(p_values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (P,) p values adjusted by Holm's rule, and the level that
    each must fall below; nan stays nan and is no test.
    """
    import numpy as np

    order = np.argsort(p_values, kind="stable")  # nan comes last
    tests = int((~np.isnan(p_values)).sum())
    left = np.maximum(tests - np.arange(len(order)), 1)
    adjusted, level = np.empty_like(p_values), np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * left))
    level[order] = ALPHA / left
    return adjusted, level
