"""What methods on pictures share: which value is black, and rectangles."""

from __future__ import annotations

import torch

from bench import InvalidRun, Method
from bench.training.recipe import Seeds


def checked(method: Method, seeds: Seeds) -> None:
    """Raise InvalidRun unless the inputs are pictures."""
    shape = tuple(seeds.problem.x.shape[1:])
    if len(shape) != 3:
        raise InvalidRun(
            f"{method.card.name} changes pictures (channels, height, width), but an input has the "
            f"shape {shape}; run it on a task of pictures"
        )


def black(seeds: Seeds) -> torch.Tensor:
    """Return the darkest value of each member's pictures, (K, 1, 1, 1, 1)."""
    found = torch.stack([problem.x.amin() for problem in seeds.problems])
    return found.to(seeds.device).view(-1, 1, 1, 1, 1)


def inside(x: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Return which pixels of pictures (K, B, channels, H, W) lie in rectangles, (K, B, 1, H, W).

    Args:
        x: the pictures.
        low: first row and column (K, B, 2), or (K, 1, 2); beyond the border is cut off.
        high: the row and column after the last.
    """
    down = torch.arange(x.shape[-2], device=x.device)
    right = torch.arange(x.shape[-1], device=x.device)
    rows = (down >= low[..., :1]) & (down < high[..., :1])
    columns = (right >= low[..., 1:]) & (right < high[..., 1:])
    return (rows[..., :, None] & columns[..., None, :])[:, :, None]
