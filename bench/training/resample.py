"""One affine resample of pictures, from which rotations, shears, zooms and shifts are made."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from bench.errors import BenchError

__all__ = ["affine_maps", "resample"]


def affine_maps(
    angle: torch.Tensor | float = 0.0,
    shear: torch.Tensor | float = 0.0,
    zoom: torch.Tensor | float = 0.0,
    right: torch.Tensor | float = 0.0,
    down: torch.Tensor | float = 0.0,
    *,
    like: torch.Tensor,
) -> torch.Tensor:
    """Return maps (n, 2, 3) from places of the result to places of the picture, both counted from
    the centre in halves of the side.

    Args:
        angle: of the picture's turn against the clock, in radians (n,).
        shear: how far right a row moves for each unit that it lies above the centre (n,).
        zoom: by which share the picture grows (n,), above -1.
        right: how far the picture moves right, in sides (n,).
        down: how far it moves down, in sides (n,).
        like: a tensor (n,) whose length, type and device the maps have.
    """
    zero = torch.zeros_like(like)
    angle, shear, zoom, right, down = (zero + part for part in (angle, shear, zoom, right, down))
    # undone in the opposite order: the shift, the zoom, the shear, the turn
    cos, sin, scale = angle.cos(), angle.sin(), 1 / (1 + zoom)
    upper = torch.stack([cos * scale, (shear * cos - sin) * scale], -1)
    lower = torch.stack([sin * scale, (shear * sin + cos) * scale], -1)
    linear = torch.stack([upper, lower], -2)
    moved = torch.stack([2 * right, 2 * down], -1)
    return torch.cat([linear, -(linear @ moved[..., None])], -1)


def resample(
    pictures: torch.Tensor, maps: torch.Tensor, fill: torch.Tensor | float = 0.0
) -> torch.Tensor:
    """Return pictures as affine maps show them, between pixels by both axes' distances.

    Args:
        pictures: (n, channels, H, W), floating.
        maps: (n, 2, 3), as :func:`affine_maps` makes them.
        fill: what lies outside of a picture: a number, or one for each picture (n, 1, 1, 1).

    Raises:
        BenchError: the inputs are no pictures, or there are not as many maps.
    """
    if pictures.dim() != 4 or maps.shape != (len(pictures), 2, 3):
        raise BenchError(
            "a resample reads pictures (n, channels, height, width) and as many maps (n, 2, 3), "
            f"but the shapes are {tuple(pictures.shape)} and {tuple(maps.shape)}; give inputs that "
            "are pictures, or leave the method out."
        )
    grid = F.affine_grid(maps.to(pictures), list(pictures.shape), align_corners=False)
    # zeros outside: moved so that what fills is zero
    found: torch.Tensor = F.grid_sample(pictures - fill, grid, align_corners=False) + fill
    return found
