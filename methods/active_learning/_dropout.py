"""What nets with dropout say of a row, and how far they disagree (arXiv:1703.02910)."""

from __future__ import annotations

import torch

from bench.tracks.active_learning import entropy


def disagreement(p: torch.Tensor) -> torch.Tensor:
    """Return H(E p) - E H(p) in nats (m,) of probabilities (masks, m, C): the information that a
    label carries of the mask, eq. 3 of arXiv:1112.5745.
    """
    return (entropy(p.mean(0)) - entropy(p).mean(0)).clamp_min(0)
