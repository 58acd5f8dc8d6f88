"""The distance to the k-th nearest of some rows."""

from __future__ import annotations

import torch

from bench import InvalidRun

_PART = 1024


def kth(rows: torch.Tensor, among: torch.Tensor, k: int) -> torch.Tensor:
    """Return the Euclidean distance of each row (n, d) to its k-th nearest among others (m, d), as
    (n,).
    """
    # in float64 the quick formula by matrix products is exact enough
    among = among.double()
    found = [
        torch.cdist(part.double(), among).kthvalue(k, dim=1).values for part in rows.split(_PART)
    ]
    return torch.cat(found) if found else rows.new_empty(0, dtype=torch.float64)


def enough(k: int, rows: int) -> None:
    """Refuse to look for more neighbours than there are rows.

    Raises:
        InvalidRun: k is too large.
    """
    if k > rows:
        raise InvalidRun(f"k is {k} and there are {rows} training rows; take at most as many")
