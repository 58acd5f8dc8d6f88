"""Losses of graphs, by the kind of their labels."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional as F

Kind = Literal["classes", "binary", "numbers"]


def kind_of(y: torch.Tensor) -> Kind:
    """Return what labels ``y`` are, which their shape and type say."""
    return "classes" if y.dim() == 1 else "binary" if y.dtype == torch.int8 else "numbers"


def graph_losses(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the loss of each graph (B,): cross entropy for labels (B,); for the answers or targets
    (B, C) that it has the mean binary cross entropy or square error.
    """
    kind = kind_of(y)
    if kind == "classes":
        return F.cross_entropy(logits, y, reduction="none")
    if kind == "binary":
        known, each = y >= 0, F.softplus(logits) - logits * y
    else:
        known, each = ~y.isnan(), (logits - y.nan_to_num()).square()
    return torch.where(known, each, 0.0).sum(-1) / known.sum(-1).clamp_min(1)
