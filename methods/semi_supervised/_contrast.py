"""Telling two views of a row from the views of other rows."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from bench.tracks.semi_supervised import soft_cross_entropy


def contrastive(z: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return NT-Xent of two views (K, 2n, D), the second views after the first, (K,).

    Source: arXiv:2002.05709, eq. 1.

    Args:
        z: projections.
        temperature: above 0.
    """
    unit = F.normalize(z, dim=-1)
    alike = unit @ unit.mT / temperature
    size = z.shape[1]
    alike = alike.masked_fill(torch.eye(size, dtype=torch.bool, device=z.device), -torch.inf)
    partner = torch.arange(size, device=z.device).roll(size // 2).expand(len(z), -1)
    return soft_cross_entropy(alike, partner).mean(1)
