"""A split with as many rows of each class."""

from __future__ import annotations

import numpy as np


def level_split(
    y: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers of labels ``y`` (n,) that are left (n - count,) and those that are
    chosen (count,), both sorted: as many of each class, of some one more where the classes do not
    divide ``count``.

    Where a class has fewer rows than its part, the others fill up.
    """
    classes = int(y.max()) + 1
    keys = generator.random(len(y))
    order = np.lexsort((keys, y))
    counts = np.bincount(y, minlength=classes)
    place = np.arange(len(y)) - (counts.cumsum() - counts).repeat(counts)
    # first the first row of every class, then the second of every class, ...
    by_turn = order[np.lexsort((generator.permutation(classes)[y[order]], place))]
    chosen = np.sort(by_turn[:count])
    return np.setdiff1d(np.arange(len(y)), chosen), chosen
