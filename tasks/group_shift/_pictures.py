"""What is shown of a run: training pictures by group, and how the epochs went."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.training.pictures import curves
from bench.training.tiles import grid

SHOWN = 4
"""Pictures of a group."""
_MOST = 4
"""Groups that are shown."""


def coloured(x: torch.Tensor) -> torch.Tensor:
    """Return pictures (n, 2, H, W) as (n, 3, H, W), the second channel green; others as they
    are.
    """
    return x if x.shape[1] != 2 else torch.cat([x, x[:, :1] * 0 + x.min()], 1)


def pictures_of(
    x: torch.Tensor,
    y: torch.Tensor,
    attribute: torch.Tensor | None,
    curve: list[dict[str, Any]],
) -> dict[str, np.ndarray]:
    """Return training pictures x (n, channels, H, W) of each label (n,) and value of the attribute
    (n,), where they are pictures, and the epochs.
    """
    names = {
        "wga_val": "worst group",
        "wca_val": "worst class",
        "acc_val": "all rows",
    }
    found = {
        "epochs": curves(
            {
                title: [(entry["step"], entry.get(name)) for entry in curve]
                for name, title in names.items()
            },
            "Accuracy on validation rows",
            "epoch",
            "%",
        )
    }
    if attribute is None or x.dim() != 4:
        return found
    rows, captions = [], []
    pairs = torch.stack([y, attribute], 1).unique(dim=0).tolist()
    for label, value in pairs[:_MOST]:
        own = ((y == label) & (attribute == value)).nonzero()[:SHOWN, 0]
        rows.append(own)
        captions += [f"y {label}, a {value}"] * len(own)
    shown = coloured(x[torch.cat(rows)].cpu())
    if shown.shape[1] in (1, 3):
        found["groups"] = grid(
            shown, captions, columns=2 * SHOWN, title="Training rows: label y, attribute a"
        )
    return found
