"""What the track's losses and attacks are made of."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return -log p_label, (...,), for logits (..., C) and labels (...,)."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none").view(
        labels.shape
    )


def divergence(
    teacher: torch.Tensor, student: torch.Tensor, temperature: float = 1.0
) -> torch.Tensor:
    """Return T^2 KL(softmax(teacher / T) || softmax(student / T)) of each row, (...,), for logits
    (..., C), T above 0.

    Source: arXiv:1503.02531, section 2.
    """
    p, q = (teacher / temperature).log_softmax(-1), (student / temperature).log_softmax(-1)
    return temperature**2 * (p.exp() * (p - q)).sum(-1)


def confidence(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return phi = z_y - log sum_{c != y} exp z_c, (...,), in float64: the log odds of the label.

    Nothing is clipped.

    Source: arXiv:2112.03570: there log(p / (1 - p)), which is the same.
    """
    logits = logits.double()
    label = F.one_hot(labels, logits.shape[-1]).bool()
    return logits.gather(-1, labels[..., None])[..., 0] - logits.masked_fill(
        label, -math.inf
    ).logsumexp(-1)
