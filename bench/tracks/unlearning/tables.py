"""Tables of what belongs to rows: inputs that members may share, and numbers for every row."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def joined(
    parts: Sequence[torch.Tensor], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distinct ``parts`` in one tensor, and for each part where
    its rows begin, (M, 1).
    """
    kept: list[torch.Tensor] = []
    places = []
    for part in parts:
        place = next(
            (
                position
                for position, known in enumerate(kept)
                if known is part or torch.equal(known, part)
            ),
            len(kept),
        )
        if place == len(kept):
            kept.append(part)
        places.append(place * len(part))
    return torch.cat(kept).to(device), torch.tensor(places, device=device)[:, None]
