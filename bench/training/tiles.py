"""Pictures of many small images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from bench.training.canvas import (
    INK,
    extent,
    fit,
    write,
)

_MOST_TILES = 400


def grid(
    images: Any,
    captions: Sequence[object] | None = None,
    columns: int | None = None,
    scale: int | None = None,
    title: str = "",
) -> np.ndarray:
    """Lay small images out in rows.

    Args:
        images: (n, h, w), (n, 1, h, w), (n, 3, h, w), (n, h, w, 1) or (n, h, w, 3); uint8, or
            numbers that are stretched from their lowest to their highest value, of all images
            together. At most 400 are shown, and of larger ones every second, third ... pixel.
        captions: a text below each image, cut to its width.
        columns: images a row; None: what makes a picture about as wide as a page.
        scale: pixels of the picture for one of an image; None: what makes them about 64 high.
        title: the line above.

    Returns:
        The picture (height, width, 3), uint8.

    Raises:
        ValueError: ``images`` has another shape.
    """
    tiles = _tiles(np.asarray(images)[:_MOST_TILES])
    count = len(tiles)
    step = max(1, math.ceil(max(tiles.shape[1:3]) / 256))
    tiles = tiles[:, ::step, ::step]
    scale = max(
        1,
        min(scale or round(64 / max(1, *tiles.shape[1:3])), 512 // max(1, *tiles.shape[1:3]) or 1),
    )
    tiles = tiles.repeat(scale, 1).repeat(scale, 2)
    wide, high, gap, foot = tiles.shape[2], tiles.shape[1], 6, 15 if captions is not None else 0
    columns = max(1, min(columns or max(1, 620 // (wide + gap)), count or 1))
    rows, top = math.ceil(count / columns), 34 if title else 8
    page = np.full(
        (top + rows * (high + foot + gap) + 4, max(60, columns * (wide + gap) + 10), 3),
        255,
        dtype=np.uint8,
    )
    corners = [
        (top + k // columns * (high + foot + gap), 8 + k % columns * (wide + gap))
        for k in range(count)
    ]
    for tile, (up, left) in zip(tiles, corners, strict=True):
        page[up : up + high, left : left + wide] = tile
    if captions is None and not title:
        return page
    image = Image.fromarray(page)
    write(image, (8, 8), fit(title, page.shape[1] - 16, 14), 14)
    for caption, (up, left) in zip(captions or (), corners, strict=False):
        write(
            image, (left + wide / 2, up + high + 2), fit(caption, wide + gap - 2, 11), 11, INK, "ma"
        )
    return np.asarray(image)


def _tiles(images: np.ndarray) -> np.ndarray:
    """Return images as (n, h, w, 3) uint8."""
    if images.size == 0:
        return np.zeros((0, 1, 1, 3), dtype=np.uint8)
    if images.ndim == 4 and images.shape[1] in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    elif images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(
            "a grid shows images (n, h, w), (n, 1 or 3, h, w) or (n, h, w, 1 or 3), not an array "
            f"of shape {images.shape}."
        )
    if images.dtype != np.uint8:
        images = images.astype(np.float64)
        low, high = extent([images])
        images = (
            (255 * (np.nan_to_num(images, nan=low, posinf=high, neginf=low) - low) / (high - low))
            .round()
            .astype(np.uint8)
        )
    return np.broadcast_to(images, (*images.shape[:3], 3))
