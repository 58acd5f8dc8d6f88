"""Mixtures of rows, drawn from each member's own stream."""

from __future__ import annotations

import numpy as np
import torch

from bench.tracks.semi_supervised import Members
from bench.training.rows import beside


class Mixing:
    """Each member's generator of weights and partners."""

    def __init__(self, members: Members) -> None:
        self.generators = [run.numpy_generator("method", "mixtures") for run in members.runs]
        self.device, self.dtype = members.device, members.x.dtype

    def draw(self, alpha: float, size: int, larger: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a weight a member (K,) from Beta(alpha, alpha), and partners (K, size).

        Args:
            alpha: both parameters.
            size: rows that are permuted.
            larger: whether the weight is the larger share of the two.
        """
        weights = [own.beta(alpha, alpha) for own in self.generators]
        if larger:
            weights = [max(one, 1 - one) for one in weights]
        partners = np.stack([own.permutation(size) for own in self.generators])
        found = torch.tensor(weights, dtype=self.dtype, device=self.device)
        return found, torch.from_numpy(partners).to(self.device)


def mixed(rows: torch.Tensor, weight: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
    """Return w x + (1 - w) x of the partner for rows (K, n, ...), weights (K,), partners (K, n)."""
    wide = weight.view(-1, *[1] * (rows.dim() - 1))
    return wide * rows + (1 - wide) * beside(rows, partner)


def sharpened(p: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return probabilities (..., C) to the power 1 / T, normalised again."""
    # of the largest, so that not all of a row's powers round to zero
    power: torch.Tensor = (p / p.amax(-1, keepdim=True)) ** (1 / temperature)
    return power / power.sum(-1, keepdim=True)
