"""All pairs of a board's rows as one family: paired differences over
seeds, their tests, Holm's adjustment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._aggregate import Array, pooled_df, student
from ._statistics import ALPHA, CERTAIN, ROUNDING, holm_array, sign_test

WORDS = {1: "better", -1: "worse", 2: "same", 0: "undecided"}
_CHUNK = 1 << 22
"""Most differences that are held at once: what bounds the memory."""


class Family(NamedTuple):
    """Every pair of M rows, in the order (0, 1), (0, 2), ..., (1, 2), ...:
    arrays of P = M (M - 1) / 2 entries.
    """

    rows: int
    seeds: int
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    mean: Array
    """The mean difference, positive where the first is better."""
    error: Array
    low: Array
    """The 95 % interval of the pair by itself, not adjusted."""
    high: Array
    p: Array
    p_holm: Array
    level: Array
    """What ``p`` must fall below in Holm's order."""
    state: NDArray[np.int8]
    """A key of :data:`WORDS`: 1 the first is better, -1 the second, 2 the
    same within delta, 0 undecided.
    """
    df: float
    """Degrees of freedom of every test, pooled over the family."""
    delta: float

    @property
    def leans(self) -> NDArray[np.int8]:
        """(P,) the sign of an undecided difference whose own interval excludes 0, else 0."""
        apart = ((self.low > 0) | (self.high < 0)) & (self.p < ALPHA)
        return np.where((self.state == 0) & apart, np.sign(self.mean), 0).astype(np.int8)

    @property
    def wins(self) -> NDArray[np.bool_]:
        """(M, M) whether the row of the first index is better than that of the second."""
        found = np.zeros((self.rows, self.rows), bool)
        found[self.first, self.second] = self.state == 1
        found[self.second, self.first] = self.state == -1
        return found

    def against(self, row: int) -> NDArray[np.intp]:
        """Return the places of the pairs of every row with ``row``, in the
        order of rows; its own place holds -1.
        """
        others = np.arange(self.rows)
        low, high = np.minimum(others, row), np.maximum(others, row)
        places = low * (2 * self.rows - low - 1) // 2 + high - low - 1
        return np.where(others == row, -1, places)


def family(scores: Array, delta: float, sign: int = 1) -> Family:
    """Compare every two of (M, T, n) scores over the n seeds that all rows share, n >= 2.

    A pair's error is that of the mean over tasks of the paired differences; the degrees of freedom
    are pooled over the family, since those of one pair's few seeds are too unsure where the tasks'
    spreads are unlike. Differences that are equal at all seeds of a task take the family's mean
    variance there: figures that come in coarse steps repeat by chance. They have no variance
    only where both rows have one figure at :data:`CERTAIN` seeds or more. Where nothing of a pair
    varies, p is that of the sign test.

    Args:
        scores: seeds in any order, alike for all rows; a figure that is not finite leaves its pairs
            without a p.
        delta: the smallest difference worth calling one, >= 0.
        sign: -1 where less is better.
    """
    rows, tasks, seeds = scores.shape
    first, second = np.triu_indices(rows, 1)
    mean, variances = np.empty(len(first)), np.empty((len(first), tasks))
    fixed = np.empty((len(first), tasks), bool)
    largest = np.abs(scores).max(-1)
    grain = ROUNDING * np.maximum(largest[first], largest[second])
    for part in _parts(len(first), tasks * seeds):
        differences = np.sort(scores[first[part]] - scores[second[part]], -1)
        mean[part] = differences.mean(-1).mean(-1)
        fixed[part] = differences[..., -1] - differences[..., 0] <= grain[part]
        variances[part] = np.where(fixed[part], 0.0, differences.var(-1, ddof=1))
    constant = scores.max(-1) == scores.min(-1)
    equal = constant[first] & constant[second] & (scores[first, :, 0] == scores[second, :, 0])
    typical = variances.mean(0) if len(first) else np.zeros(tasks)
    variances = np.where(fixed & ~(equal & (seeds >= CERTAIN)), typical, variances)
    df = pooled_df(variances, seeds)
    error = np.sqrt(variances.sum(-1) / seeds) / tasks
    mean *= sign
    low, high, p = student(mean, error, df)
    void = (error == 0) & (mean != 0)
    p = np.where(void, sign_test(seeds), p)
    p_holm, level = holm_array(p)
    better = (p_holm < ALPHA) & (np.abs(mean) >= delta) & (mean != 0)
    same = (-delta < low) & (high < delta) & ~void
    state = np.where(better, np.sign(mean), np.where(same, 2, 0)).astype(np.int8)
    return Family(
        rows, seeds, first, second, mean, error, low, high, p, p_holm, level, state, df, delta
    )


def _parts(count: int, width: int) -> Iterator[slice]:
    step = max(1, _CHUNK // width)
    return (slice(start, start + step) for start in range(0, count, step))
