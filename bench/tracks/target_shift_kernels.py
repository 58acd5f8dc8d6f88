"""Gaussian kernels of rows, for methods and tasks of target shift where labels are numbers.

Shapes: n and m rows, d columns.
"""

from __future__ import annotations

import torch

from bench.errors import InvalidRun

__all__ = ["LARGEST", "column", "gaussian", "silverman", "within"]

LARGEST = 3000
"""Rows beyond which a matrix of all pairs is refused."""


def column(y: torch.Tensor) -> torch.Tensor:
    """Return numbers (n,) as a table of one column (n, 1), float64."""
    return y.double()[:, None]


def silverman(x: torch.Tensor) -> torch.Tensor:
    """Return a bandwidth a column (d,), in the column's unit, above 0, by Silverman's rule of
    thumb: the standard deviation times (4 / ((d + 2) n))^(1 / (d + 4)).

    Args:
        x: rows (n, d).
    """
    rows, columns = x.shape
    spread = x.double().std(0)
    factor = float((4 / ((columns + 2) * rows)) ** (1 / (columns + 4)))
    return torch.where(spread > 0, spread, torch.ones_like(spread)) * factor


def gaussian(one: torch.Tensor, other: torch.Tensor, bandwidth: torch.Tensor) -> torch.Tensor:
    """Return ``exp(-|one_i - other_j|^2 / 2)``, each column in its bandwidths, (n, m), in [0, 1].

    Args:
        one: rows (n, d).
        other: rows (m, d).
        bandwidth: of each column (d,).
    """
    apart = torch.cdist(
        one.double() / bandwidth,
        other.double() / bandwidth,
        compute_mode="donot_use_mm_for_euclid_dist",
    )
    return (-0.5 * apart.square()).exp()


def within(rows: int, name: str) -> None:
    """Refuse a problem whose matrices of all pairs do not fit.

    Raises:
        InvalidRun: there are more than :data:`LARGEST` source rows.
    """
    if rows > LARGEST:
        raise InvalidRun(
            f"{name} solves with a matrix of all pairs of source rows, and there are {rows}; take "
            f"at most {LARGEST}"
        )
