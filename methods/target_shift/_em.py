"""Expectation maximisation of the shares of classes in the target."""

from __future__ import annotations

import torch

ROUNDS = 20_000
"""Rounds after which the search ends, converged or not."""


def shares(p: torch.Tensor, prior: torch.Tensor, tolerance: float) -> torch.Tensor:
    """Return the shares q (C,) under which target rows are likeliest.

    Each round takes q to the mean of p q / prior, each row made to add up to 1.

    Args:
        p: probabilities of the target rows (M, C).
        prior: shares that belong to these probabilities (C,).
        tolerance: the largest change of a share at which the search ends.
    """
    ratio, q = p / prior, prior
    for _ in range(ROUNDS):
        tilted = ratio * q
        moved = (tilted / tilted.sum(1, keepdim=True)).mean(0)
        change = float((moved - q).abs().max())
        q = moved
        if change < tolerance:
            break
    return q
