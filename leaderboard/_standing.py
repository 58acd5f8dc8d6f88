"""Where rows stand: places by the mean, how far the data leave their true
rank open, and who can't be separated from the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._aggregate import Array
from ._family import Family


class Standing(NamedTuple):
    """Where M rows stand; arrays of M entries."""

    place: NDArray[np.intp]
    """1 + the rows whose score is higher; equal scores share it."""
    low: NDArray[np.intp]
    """The ends of the 95 % range of the true rank."""
    high: NDArray[np.intp]
    leading: NDArray[np.bool_]
    """Whether a row belongs to the leading group: the first, and those after it that can't be
    separated from it, up to the first that can.
    """

    def rows(self) -> Iterator[tuple[int, int, int, bool]]:
        """Yield place, low, high and leading of each row."""
        return zip(*(column.tolist() for column in self), strict=True)


def standing(found: Family, means: Array, failed: NDArray[np.bool_]) -> Standing:
    """Place rows by their means and say how far the family of all pairs leaves their true rank
    open.

    A row's own range runs from 1 + the rows that are better to M - the rows that are worse: all
    ranges together hold at 95 %. They are made monotone in the score by widening alone, so that
    what held still holds: a lower end is the least of its own and those below, an upper end the
    largest of its own and those above. A row with a failed run has its place as lower end, and
    moves no other row's: failing never makes a row look better.

    Args:
        found: what :func:`family` made of the rows.
        means: (M,) scores, more is better.
        failed: (M,) whether a run of the row failed and counts as chance.
    """
    wins = found.wins
    order = np.argsort(-means, kind="stable")
    sorted_means = -means[order]
    # rows of one score are no order among themselves: each sees those strictly above and below it
    above, upto = (
        np.searchsorted(sorted_means, -means, "left"),
        np.searchsorted(sorted_means, -means, "right"),
    )
    place = 1 + above
    low, high = np.minimum(1 + wins.sum(0), place), np.maximum(len(means) - wins.sum(1), place)
    least = np.minimum.accumulate(np.where(failed, len(means), low)[order][::-1])[::-1]
    most = np.maximum.accumulate(high[order])
    widened = np.minimum(low, np.append(least, len(means))[upto])
    ends = np.where(failed, place, widened), np.maximum(high, np.append(0, most)[above])
    return Standing(place, *ends, _leading(wins, place, failed))


def _leading(
    wins: NDArray[np.bool_], place: NDArray[np.intp], failed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    firsts = place == 1
    apart = wins[firsts].any(0)
    end = min(place[apart], default=len(place) + 1)
    return ~apart & (place < end) & (firsts | ~failed)
