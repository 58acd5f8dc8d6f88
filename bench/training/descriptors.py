"""What can be said of labelled rows before anything is trained: how many dimensions they fill, and
how their labels lie in it.

Source: arXiv:2401.08865 for the dimension and the sharpness of labels.

Shapes: n rows, d numbers a row.
"""

from __future__ import annotations

import math

import torch

__all__ = [
    "balance",
    "intrinsic_dim",
    "label_sharpness",
    "nearest",
    "neighbour_agreement",
    "repeated",
    "scaled",
]

_PART = 1000
"""Rows whose distances to all others are held at once."""


def scaled(x: torch.Tensor) -> torch.Tensor:
    """Return rows (n, d), float64 in [0, 1], without NaN.

    Pictures (n, channels, ...) are divided by 255 where they are bytes, else scaled by their least
    and largest value; of a table (n, d) each column is. A missing value becomes the mean of its
    column, 0 where there is none.

    Args:
        x: rows (n, ...), numbers; NaN where one is missing.
    """
    rows = x.flatten(1).double()
    if x.dtype == torch.uint8:
        return rows / 255
    rows = torch.where(rows.isnan(), rows.nanmean(0).nan_to_num(0.0), rows)
    low, high = rows.amin(0), rows.amax(0)
    if x.dim() > 2:
        low, high = low.min(), high.max()
    return (rows - low) / torch.where(high > low, high - low, torch.ones_like(high))


def repeated(x: torch.Tensor) -> torch.Tensor:
    """Return which rows of x (n, ...) are equal to an earlier one (n,), bool; missing values are
    equal to each other.
    """
    rows = x.flatten(1)
    if rows.is_floating_point():
        rows = torch.cat([rows.nan_to_num(0.0), rows.isnan().to(rows.dtype)], 1)
    _, group = torch.unique(rows, dim=0, return_inverse=True)
    order = torch.arange(len(rows), device=x.device)
    first = torch.full_like(order, len(rows)).scatter_reduce(0, group, order, "amin")
    return first[group] != order


def balance(y: torch.Tensor) -> float | None:
    """Return the entropy of the classes' shares over that of equal shares, in [0, 1]; None with one
    class.

    Args:
        y: labels (n,), whole numbers.
    """
    counts = torch.unique(y, return_counts=True)[1].double()
    if len(counts) < 2:
        return None
    shares = counts / counts.sum()
    return float(-(shares * shares.log()).sum() / math.log(len(counts)))


def nearest(x: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distances (n, k) of the k nearest other rows, in ascending order, and their
    numbers (n, k).

    Args:
        x: rows (n, d), float64.
        k: neighbours, at most n - 1.
    """
    apart, rows = [], []
    for start in range(0, len(x), _PART):
        own = torch.cdist(x[start : start + _PART], x)
        place = torch.arange(len(own), device=x.device)
        own[place, start + place] = torch.inf
        found = own.topk(k, largest=False)
        apart.append(found.values)
        rows.append(found.indices)
    return torch.cat(apart), torch.cat(rows)


def intrinsic_dim(x: torch.Tensor, k: int = 20) -> float | None:
    """Return the maximum likelihood estimate of the dimension that rows fill: 1 over the mean of
    log(T_k / T_j) over rows and over j < k, T_j the distance of the j-th nearest other row. Equal
    rows count once; None where there are not more than k.

    Args:
        x: rows (n, d), float64.
        k: neighbours, at least 2.
    """
    rows = torch.unique(x, dim=0)
    if len(rows) <= k:
        return None
    apart = nearest(rows, k)[0].clamp_min(1e-12)
    spread = float((apart[:, -1:] / apart[:, :-1]).log().mean())
    return 1 / spread if spread > 0 else None


def label_sharpness(x: torch.Tensor, y: torch.Tensor) -> float | None:
    """Return the largest 1 / distance of two rows with different labels: 0 where all labels are
    equal, infinity where such rows are equal; None without a pair.

    Args:
        x: rows (n, d), float64, mostly in [0, 1].
        y: labels (n,), whole numbers.
    """
    if len(y) < 2:
        return None
    apart = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    least = float(apart.masked_fill(y[:, None] == y, torch.inf).min())
    return 1 / least if least else math.inf


def neighbour_agreement(x: torch.Tensor, y: torch.Tensor) -> float | None:
    """Return the share of rows whose nearest other row has the same label, in percent; None with
    one row.

    Args:
        x: rows (n, d), float64.
        y: labels (n,), whole numbers.
    """
    if len(y) < 2:
        return None
    return 100 * float((y[nearest(x, 1)[1][:, 0]] == y).double().mean())
