"""Which cells of a table are hidden, by three mechanisms, and how a table with holes is scaled.

Shapes: n rows, d columns. A hidden cell is NaN.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

__all__ = ["Mechanism", "hidden_cells", "observed_scale"]

Mechanism = Literal["mcar", "mar", "mnar"]
"""Missing completely at random; at random given complete columns; by the hidden value itself."""

_COMPLETE = 0.3
"""Share of the columns that ``mar`` leaves complete."""


def hidden_cells(
    x: np.ndarray, mechanism: Mechanism, share: float, generator: np.random.Generator
) -> np.ndarray:
    """Return which cells are hidden (n, d), bool; no row loses all of its cells.

    ``mcar``: each cell with probability ``share``. ``mar``: 30 % of the columns, at least one, are
    complete; in the others a cell is hidden with probability sigmoid(z + b), z the complete columns
    times normal weights, scaled to variance 1. ``mnar``: with probability sigmoid(w x / sd + b), x
    the cell itself and w a normal weight of its column. b is a number of the column's own, so that
    the mean probability of the column is ``share``.

    Args:
        x: the complete table (n, d).
        mechanism: how it depends on the values.
        share: of the hidden cells in a column that has any, in (0, 1).
        generator: draws weights and cells.
    """
    rows, columns = x.shape
    scores = np.zeros((rows, columns))
    may = np.ones(columns, dtype=bool)
    if mechanism == "mar":
        complete = generator.permutation(columns)[: max(1, round(_COMPLETE * columns))]
        may[complete] = False
        scores = _scaled(x[:, complete] @ generator.standard_normal((len(complete), columns)))
    elif mechanism == "mnar":
        scores = _scaled(x) * generator.standard_normal(columns)
    chance = 1 / (1 + np.exp(-scores - _intercepts(scores, share)))
    hidden: np.ndarray = (generator.random((rows, columns)) < chance) & may
    kept = np.asarray(generator.integers(columns, size=rows))
    lost = hidden.all(1)
    hidden[lost, kept[lost]] = False
    return hidden


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return values (n, d) with mean 0 and variance 1 in each column."""
    spread = values.std(0)
    scaled: np.ndarray = (values - values.mean(0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def _intercepts(scores: np.ndarray, share: float) -> np.ndarray:
    """Return b (d,) with mean_i sigmoid(scores_ij + b_j) = share, by bisection."""
    bound = np.abs(scores).max(0, initial=0.0) + abs(np.log(share / (1 - share)))
    low, high = -bound - 1, bound + 1
    for _ in range(60):
        middle = (low + high) / 2
        below = (1 / (1 + np.exp(-scores - middle))).mean(0) < share
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    found: np.ndarray = (low + high) / 2
    return found


def observed_scale(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and standard deviation (d,) of the observed cells of each column of x (n, d); a
    column without an observed cell has mean 0, and one that does not vary has deviation 1.
    """
    mean = x.nanmean(0).nan_to_num(0.0)
    spread = (x - mean).square().nanmean(0).sqrt().nan_to_num(0.0)
    return mean, torch.where(spread > 1e-8, spread, torch.ones_like(spread))
