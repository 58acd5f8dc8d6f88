"""Statistics over the tasks of a track: arrays of normalised scores, of shape (methods, tasks, seeds).

Everything is a pure function of the scores: resamples come from a generator that is seeded here, the same for every method,
and scores are sorted first wherever their order must not matter. Adding a method therefore moves no other method's figure.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._statistics import ALPHA, CONFIDENCE

Array = NDArray[np.float64]

DRAWS = 10_000
"""Bootstrap resamples."""
_SEED = 20_260_101
_TRIM = 0.25
_CHUNK = 1 << 22
"""Most values that are gathered at once: what bounds the memory."""
_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
MOST_SEEDS = 1000
POWER = 0.8


class Interval(NamedTuple):
    """A mean over tasks of means over seeds, with its t interval; arrays of one entry a row."""

    mean: Array
    low: Array
    high: Array
    df: Array
    p: Array
    """Two-sided, of a mean of 0."""


def welch(variances: Array, counts: Array | int) -> tuple[Array, Array]:
    """Return standard error and degrees of freedom of a mean of task means.

    Args:
        variances: (..., T) sample variances over seeds, one a task.
        counts: seeds of each task, broadcastable to ``variances``.

    Returns:
        The standard error sqrt(sum v/n) / T, and the degrees of freedom (sum v/n)^2 / sum ((v/n)^2 / (n - 1)) of Welch and
        Satterthwaite, both (...,). Nothing that varies: 0 and infinity.
    """
    share = variances / counts
    total = share.sum(-1)
    largest = np.where(share.max(-1) > 0, share.max(-1), 1.0)[..., None]  # squares of tiny variances would vanish
    below = ((share / largest) ** 2 / (np.asarray(counts) - 1)).sum(-1)
    with np.errstate(divide="ignore"):
        df = np.where(total > 0, (total / largest[..., 0]) ** 2 / np.where(below > 0, below, 1.0), np.inf)
    return np.sqrt(total) / variances.shape[-1], df


def track_interval(scores: Array) -> Interval:
    """Return the mean of task means of each row with its 95 % t interval, the tasks taken as they are.

    Args:
        scores: (..., T, n) with n >= 2 seeds.

    Returns:
        Arrays of shape (...,).
    """
    from scipy.special import stdtr, stdtrit

    scores = np.sort(scores, -1)
    centre = scores.mean(-1)
    constant = scores[..., 0] == scores[..., -1]
    variances = np.where(constant, 0.0, scores.var(-1, ddof=1))
    error, df = welch(variances, scores.shape[-1])
    mean = centre.mean(-1)
    bounded = np.where(np.isfinite(df), df, 1.0)
    half = np.where(error > 0, stdtrit(bounded, _TAILS[1]) * error, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(error > 0, 2 * stdtr(bounded, -np.abs(mean) / np.where(error > 0, error, 1.0)), (mean == 0) * 1.0)
    return Interval(mean, mean - half, mean + half, df, p)


def signed_rank(differences: Array) -> Array:
    """Return the exact two-sided p of Wilcoxon's signed-rank test, one a row.

    Args:
        differences: (P, T) paired differences, one a task. Zeros are left out, equal sizes share their mean rank.

    Returns:
        (P,) the share of the 2^T assignments of signs whose rank sum is at least as far from its mean; exact with ties too,
        because the distribution is counted for the ranks at hand. F. Wilcoxon, Biometrics Bulletin 1 (1945).
    """
    size = np.abs(differences)
    pairs, tasks = size.shape
    # twice the mean rank among those that are not zero, a whole number: the places below, plus those up to it, plus one
    below = ((size[:, None, :] < size[:, :, None]) & (size > 0)[:, None, :]).sum(-1)
    up_to = ((size[:, None, :] <= size[:, :, None]) & (size > 0)[:, None, :]).sum(-1)
    double = np.where(size > 0, below + up_to + 1, 0)
    width = tasks * (tasks + 1) + 1
    chances = np.zeros((pairs, width))
    chances[:, 0] = 1.0
    places = np.arange(width)[None, :]
    for task in range(tasks):
        rank = double[:, task : task + 1]
        shifted = np.where(places >= rank, np.take_along_axis(chances, np.maximum(places - rank, 0), 1), 0.0)
        chances = np.where(rank > 0, (chances + shifted) / 2, chances)
    reached = (double * (differences > 0)).sum(1, keepdims=True)
    total = double.sum(1, keepdims=True)
    beyond = np.abs(2 * places - total) >= np.abs(2 * reached - total)
    return np.minimum(1.0, (chances * (beyond & (places <= total))).sum(1))


def can_reach(tasks: int, tests: int) -> bool:
    """Say whether a signed-rank test over ``tasks`` tasks can fall below 0.05 after Holm's adjustment over ``tests`` tests."""
    return tests * 2.0 ** (1 - tasks) < ALPHA


def iqm(values: Array) -> Array:
    """Return the interquartile mean of (..., N) values: a quarter of them, rounded down, is cut from each end."""
    ends = int(_TRIM * values.shape[-1])
    last = values.shape[-1] - ends
    parted = np.partition(values, sorted({ends, last - 1}), -1)
    return np.sort(parted[..., ends:last], -1).mean(-1)


def superiority(ours: Array, theirs: Array) -> Array:
    """Return P(ours > theirs) + P(equal) / 2, the mean over tasks of Mann and Whitney's U / (n m).

    Args:
        ours: (T, n) scores.
        theirs: (T, m) scores.
    """
    return _wins(ours, theirs).mean((-2, -1)).mean(-1)  # type: ignore[no-any-return]


def _wins(ours: Array, theirs: Array) -> Array:
    above, equal = ours[..., :, None] > theirs[..., None, :], ours[..., :, None] == theirs[..., None, :]
    return above + equal / 2


class Resamples:
    """Resamples of ``tasks`` x ``seeds`` scores, the same for every method: seeds within their task, or tasks and then seeds."""

    def __init__(self, tasks: int, seeds: int, draws: int = DRAWS) -> None:
        self.tasks, self.seeds, self.draws = tasks, seeds, draws

    @cached_property
    def _chosen(self) -> NDArray[np.int16]:
        """(draws, T, n): which seed stands at each place."""
        return np.random.Generator(np.random.PCG64(_SEED)).integers(0, self.seeds, (self.draws, self.tasks, self.seeds), np.int16)

    @cached_property
    def _others(self) -> NDArray[np.int16]:
        """The same for a second sample that is drawn by itself."""
        return np.random.Generator(np.random.PCG64(_SEED + 1)).integers(0, self.seeds, (self.draws, self.tasks, self.seeds), np.int16)

    def _counts(self, chosen: NDArray[np.int16]) -> NDArray[np.float32]:
        """(draws, T, n): how often each seed was drawn."""
        return np.stack([(chosen == seed).sum(-1, dtype=np.float32) for seed in range(self.seeds)], -1)

    @cached_property
    def counts(self) -> NDArray[np.float32]:
        """(draws, T, n): how often each seed of a task is in a resample."""
        return self._counts(self._chosen)

    def iqm(self, scores: Array) -> tuple[float, float]:
        """Return the percentile interval of the interquartile mean of (T, n) scores.

        With the values in order and c the running count of a resample, the sum between the ends is a weighted one: no
        resample is sorted by itself.
        """
        values = np.sort(scores, -1).reshape(-1)
        order = np.argsort(values, kind="stable")
        ends, count = int(_TRIM * len(values)), len(values)
        steps = np.append(-np.diff(values[order]), values[order][-1])
        found, step = [], max(1, _CHUNK // count)
        flat = self._small.reshape(self.draws, -1)
        for start in range(0, self.draws, step):
            running = np.cumsum(flat[start : start + step, order], 1, dtype=np.int16)
            np.clip(running, ends, count - ends, out=running)
            found.append((running @ steps - ends * values[order][0]) / (count - 2 * ends))
        return _percentiles(np.concatenate(found))

    @cached_property
    def _small(self) -> NDArray[np.uint16]:
        return self.counts.astype(np.uint16)

    def superiority(self, ours: Array, theirs: Array) -> Array:
        """Return the (M, 2) percentile intervals of :func:`superiority` of (M, T, n) scores, both samples resampled by themselves.

        A resample says how often each pair counts, so that no pair is compared twice: one product a task for all rows.
        """
        wins = _wins(np.sort(ours, -1), np.sort(theirs, -1)).astype(np.float32)
        total = np.zeros((self.draws, len(ours)))
        for task in range(self.tasks):
            drawn = self.counts[:, task] @ wins[:, task].transpose(1, 0, 2).reshape(self.seeds, -1)
            total += (drawn.reshape(self.draws, len(ours), self.seeds) * self._against[:, task, None, :]).sum(-1)
        return np.quantile(total / (self.tasks * self.seeds**2), _TAILS, axis=0).T  # type: ignore[no-any-return]

    @cached_property
    def _against(self) -> NDArray[np.float32]:
        return self._counts(self._others)

    def means(self, scores: Array) -> Array:
        """Return the (draws, M) track means of (M, T, n) scores, seeds resampled within their task, alike for all rows."""
        weights = self.counts.reshape(self.draws, -1).astype(np.float64)
        return weights @ scores.reshape(len(scores), -1).T / (self.tasks * self.seeds)  # type: ignore[no-any-return]

    def wide(self, scores: Array) -> Array:
        """Return the (M, 2) percentile intervals of the track mean of (M, T, n) scores, tasks resampled first, then seeds."""
        generator = np.random.Generator(np.random.PCG64(_SEED + 2))
        tasks = generator.integers(0, self.tasks, (self.draws, self.tasks))
        weights = np.zeros((self.draws, self.tasks, self.seeds))
        rows = np.arange(self.draws)
        for place in range(self.tasks):
            np.add.at(weights, (rows, tasks[:, place]), self.counts[:, place])
        scores = np.sort(scores, -1)
        means = weights.reshape(self.draws, -1) @ scores.reshape(len(scores), -1).T / (self.tasks * self.seeds)
        return np.quantile(means, _TAILS, axis=0).T  # type: ignore[no-any-return]

    def rank_ranges(self, scores: Array, delta: float) -> NDArray[np.int64]:
        """Return the (M, 2) 2.5 and 97.5 percentiles of each row's rank: 1 + the rows whose resampled mean is more than ``delta`` above its own."""
        means = self.means(in_one_order(scores))
        ranks = np.stack([1 + (means > means[:, row : row + 1] + delta).sum(1) for row in range(len(scores))], 1)
        return np.quantile(ranks, _TAILS, axis=0, method="nearest").T.astype(np.int64)


def in_one_order(scores: Array) -> Array:
    """Return (M, T, n) scores with the seeds of each task in an order that their names do not decide, alike for all rows."""
    return np.stack([scores[:, task, np.lexsort(scores[::-1, task])] for task in range(scores.shape[1])], 1)


def _percentiles(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, _TAILS)
    return float(low), float(high)


def mean_ranks(scores: Array) -> Array:
    """Return the (M,) mean over tasks of the rank of each row's task mean, 1 the highest, equal ones sharing the mean rank."""
    means = np.sort(scores, -1).mean(-1)
    above = (means[None] > means[:, None]).sum(1)
    level = (means[None] == means[:, None]).sum(1)
    return (above + (level + 1) / 2).mean(-1)  # type: ignore[no-any-return]


def seeds_needed(differences: Array, delta: float) -> int | None:
    """Return how many seeds a paired t test of two rows needs, if their differences stay as they are.

    Args:
        differences: (T, n) paired differences, n >= 2.
        delta: below it there is nothing to find.

    Returns:
        The fewest seeds with a power of 80 % at 5 %, two-sided, on these tasks; None: the mean difference is below
        ``delta``, or more than a thousand would be needed.
    """
    from scipy.special import nctdtr, stdtrit

    effect = abs(float(np.sort(differences, -1).mean()))
    if effect < delta:
        return None
    variances = np.sort(differences, -1).var(-1, ddof=1)
    total = float(variances.sum())
    if total == 0:
        return 2
    freedom = total**2 / float((variances**2).sum())

    def enough(seeds: int) -> bool:
        df = (seeds - 1) * freedom
        away = effect * differences.shape[0] / (total / seeds) ** 0.5
        return away > 30 or 1 - float(nctdtr(df, away, stdtrit(df, _TAILS[1]))) >= POWER

    if not enough(MOST_SEEDS):
        return None
    return bisect_left(range(2, MOST_SEEDS), True, key=enough) + 2


def on_front(cost: Array, score: Array, delta: float) -> NDArray[np.bool_]:
    """Say which rows no other row dominates: one that costs no more and scores more than ``delta`` higher."""
    cheaper = cost[None] <= cost[:, None]
    return ~(cheaper & (score[None] > score[:, None] + delta)).any(1)  # type: ignore[no-any-return]
