"""Statistics over the tasks of a track: arrays of normalised scores, of shape (methods, tasks,
seeds).

Everything is a pure function of the scores: resamples come from a generator that is seeded here,
the same for every method, and scores are sorted first wherever their order must not matter. Adding
a method therefore moves no other method's figure.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._statistics import CONFIDENCE

Array = NDArray[np.float64]

DRAWS = 10_000
"""Bootstrap resamples."""
_SEED = 20_260_101
_BLOCK = 8
"""Ranks that are looked at together."""
_TRIM = 0.25
_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """A mean over tasks of means over seeds, with its t interval; arrays of one entry a row."""

    mean: Array
    low: Array
    high: Array
    df: float
    p: Array
    """Two-sided, of a mean of 0."""


def pooled_df(variances: Array, counts: Array | int) -> float:
    """Return the degrees of freedom of a mean of task means, pooled over rows.

    Args:
        variances: (..., T) sample variances over seeds, one a task.
        counts: seeds of each task, (T,) or one number, each >= 2.

    Returns:
        1 / sum(w^2 / (n - 1)) with w_t the share of task t in the sum of v / n over rows and tasks:
        Welch and Satterthwaite's, but with weights that all rows find together, since those of one
        row's few seeds are too unsure where tasks' spreads are unlike. Nothing that varies:
        infinity.
    """
    share = (variances / counts).reshape(-1, variances.shape[-1])
    share = share[np.isfinite(share).all(-1)]
    largest = share.max(initial=0.0)
    if not largest > 0:
        return math.inf
    # scaled, since squares of tiny or huge variances would vanish or overflow
    weights = (share / largest).sum(0)
    weights /= weights.sum()
    return float(1 / (weights**2 / (np.asarray(counts) - 1)).sum())


def student(mean: Array, error: Array, df: float) -> tuple[Array, Array, Array]:
    """Return the ends of the 95 % t interval and the two-sided p of a mean
    of 0; no error leaves no doubt, and no figure gives nan.
    """
    from scipy.special import stdtr, stdtrit

    some = error > 0
    half = np.where(some, (stdtrit(df, _TAILS[1]) if math.isfinite(df) else 0.0) * error, 0.0)
    with np.errstate(all="ignore"):
        p = np.where(
            some,
            2 * stdtr(df if math.isfinite(df) else 1.0, -np.abs(mean) / np.where(some, error, 1.0)),
            (mean == 0) * 1.0,
        )
    return mean - half, mean + half, np.where(np.isfinite(mean) & np.isfinite(error), p, np.nan)


def track_interval(scores: Array) -> Interval:
    """Return the mean of task means of each row with its 95 % t interval, the tasks taken as they
    are.

    Args:
        scores: (M, T, n) with n >= 2 seeds.

    Returns:
        Arrays of shape (M,).
    """
    scores = np.sort(scores, -1)
    variances = np.where(scores[..., 0] == scores[..., -1], 0.0, scores.var(-1, ddof=1))
    df = pooled_df(variances, scores.shape[-1])
    error = np.sqrt(variances.sum(-1) / scores.shape[-1]) / scores.shape[-2]
    mean = scores.mean(-1).mean(-1)
    low, high, p = student(mean, error, df)
    return Interval(mean, low, high, df, p)


def iqm(values: Array) -> Array:
    """Return the interquartile mean of (..., N) values: a quarter of them,
    rounded down, is cut from each end.
    """
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
    above, equal = (
        ours[..., :, None] > theirs[..., None, :],
        ours[..., :, None] == theirs[..., None, :],
    )
    return above + equal / 2


class Resamples:
    """Resamples of ``tasks`` x ``seeds`` scores, the same for every
    method: seeds within their task, or tasks and then seeds.
    """

    def __init__(self, tasks: int, seeds: int, draws: int = DRAWS) -> None:
        self.tasks, self.seeds, self.draws = tasks, seeds, draws

    @cached_property
    def _chosen(self) -> NDArray[np.int16]:
        """(draws, T, n): which seed stands at each place."""
        return np.random.Generator(np.random.PCG64(_SEED)).integers(
            0, self.seeds, (self.draws, self.tasks, self.seeds), np.int16
        )

    @cached_property
    def _others(self) -> NDArray[np.int16]:
        """The same for a second sample that is drawn by itself."""
        return np.random.Generator(np.random.PCG64(_SEED + 1)).integers(
            0, self.seeds, (self.draws, self.tasks, self.seeds), np.int16
        )

    def _counts(self, chosen: NDArray[np.int16]) -> NDArray[np.float32]:
        """(draws, T, n): how often each seed was drawn."""
        return np.stack(
            [(chosen == seed).sum(-1, dtype=np.float32) for seed in range(self.seeds)], -1
        )

    @cached_property
    def counts(self) -> NDArray[np.float32]:
        """(draws, T, n): how often each seed of a task is in a resample."""
        return self._counts(self._chosen)

    def iqm(self, scores: Array) -> Array:
        """Return the (M, 2) percentile intervals of the interquartile mean of (M, T, n) scores.

        With the values in order and c the running count of a resample, the sum between the ends is
        a weighted one: no resample is sorted by itself.
        """
        values = np.sort(scores, -1).reshape(len(scores), -1)
        count = values.shape[1]
        ends, drawn = (
            int(_TRIM * count),
            np.ascontiguousarray(
                self._counts(self._chosen).reshape(self.draws, count).T.astype(float)
            ),
        )
        found, running, kept = (
            np.empty((len(scores), 2)),
            np.empty(self.draws),
            np.empty(self.draws),
        )
        for row, mine in enumerate(values):
            order = np.argsort(mine, kind="stable")
            steps = np.append(-np.diff(mine[order]), mine[order][-1])
            total, constant = np.zeros(self.draws), -ends * mine[order][0]
            running[:] = first = 0
            # below the middle half in every resample, block by block: a look at all costs most
            while first < count:
                block = running + drawn[order[first : first + _BLOCK]].sum(0)
                if block.max() > ends:
                    break
                constant += ends * float(steps[first : first + _BLOCK].sum())
                running, first = block, first + _BLOCK
            for rank in range(first, count):
                running += drawn[order[rank]]
                step = steps[rank]
                # and above it from here on
                if rank > count // 2 and not rank % _BLOCK and running.min() >= count - ends:
                    constant += (count - ends) * float(steps[rank:].sum())
                    break
                if step:
                    np.clip(running, ends, count - ends, out=kept)
                    kept *= step
                    total += kept
            total += constant
            found[row] = _percentiles(total / (count - 2 * ends))
        return found

    def superiority(self, ours: Array, theirs: Array) -> Array:
        """Return the (M, 2) percentile intervals of :func:`superiority` of (M, T, n) scores, both
        samples resampled by themselves.

        A resample says how often each pair counts, so that no pair is compared twice: one product a
        task for all rows.
        """
        wins = _wins(np.sort(ours, -1), np.sort(theirs, -1)).astype(np.float32)
        total = np.zeros((len(ours), self.draws), np.float32)
        for task in range(self.tasks):
            counted = (self.counts[:, task, :, None] * self._against[:, task, None, :]).reshape(
                self.draws, -1
            )
            total += wins[:, task].reshape(len(ours), -1) @ counted.T
        return np.quantile(total / np.float32(self.tasks * self.seeds**2), _TAILS, axis=1).T

    @cached_property
    def _against(self) -> NDArray[np.float32]:
        return self._counts(self._others)

    def wide(self, scores: Array) -> Array:
        """Return the (M, 2) percentile intervals of the track mean of (M,
        T, n) scores, tasks resampled first, then seeds.
        """
        generator = np.random.Generator(np.random.PCG64(_SEED + 2))
        tasks = generator.integers(0, self.tasks, (self.draws, self.tasks))
        weights = np.zeros((self.draws, self.tasks, self.seeds))
        rows = np.arange(self.draws)
        for place in range(self.tasks):
            # a resample is named once a place
            weights[rows, tasks[:, place]] += self.counts[:, place]
        scores = np.sort(scores, -1)
        means = (
            weights.reshape(self.draws, -1)
            @ scores.reshape(len(scores), -1).T
            / (self.tasks * self.seeds)
        )
        return np.quantile(means, _TAILS, axis=0).T  # type: ignore[no-any-return]


def _percentiles(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, _TAILS)
    return float(low), float(high)


def mean_ranks(scores: Array) -> Array:
    """Return the (M,) mean over tasks of the rank of each row's task mean,
    1 the highest, equal ones sharing the mean rank.
    """
    means = np.sort(scores, -1).mean(-1)
    above = (means[None] > means[:, None]).sum(1)
    level = (means[None] == means[:, None]).sum(1)
    return (above + (level + 1) / 2).mean(-1)  # type: ignore[no-any-return]


def on_front(cost: Array, score: Array, delta: float) -> NDArray[np.bool_]:
    """Say which rows no other row dominates: one that costs no more and
    scores more than ``delta`` higher.
    """
    cheaper = cost[None] <= cost[:, None]
    return ~(cheaper & (score[None] > score[:, None] + delta)).any(1)  # type: ignore[no-any-return]
