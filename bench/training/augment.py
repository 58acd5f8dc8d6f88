"""Augmentation of pictures on the device: mirror images by ``where``, shifts by a gather.

What is drawn comes in as tensors.

A shift by (dy, dx) is what others call a padded random crop: the picture moves within its frame,
and what it leaves is filled.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bench.errors import BenchError


class Augmentation:
    """What happens to every row in one epoch, for K members.

    The same row gets the same whatever the order of the batches.

    Args:
        pictures: each member's training set (n, channels, H, W); the darkest value of each channel
            fills what a shift leaves behind.
        device: where it works.
        flip: mirror half of the pictures, left to right.
        crop: shift each picture by up to so many pixels up or down and left or right; 0: not at
            all.

    Raises:
        BenchError: the inputs are no pictures.
    """

    def __init__(
        self, pictures: Sequence[torch.Tensor], device: torch.device, flip: bool, crop: int
    ) -> None:
        shape = tuple(pictures[0].shape)
        if len(shape) != 4:
            raise BenchError(
                "flip and crop need pictures (n, channels, height, width), but the inputs have "
                f"the shape {shape}; turn them off."
            )
        self.flip, self.crop = flip, crop
        self._fill = torch.stack([x.amin((0, 2, 3)) for x in pictures])[:, None].to(device)

    def draw(self, rows: int, generators: Sequence[torch.Generator]) -> None:
        """Draw an epoch for ``rows`` rows, each member from its own CPU generator: two numbers a
        row for the shift, one for the mirror.
        """
        device = self._fill.device
        span = 2 * self.crop + 1
        drawn = [
            (
                torch.randint(span, (rows, 2), generator=own),
                torch.randint(2, (rows,), generator=own),
            )
            for own in generators
        ]
        self._shifts = torch.stack([shift for shift, _ in drawn]).to(device) - self.crop
        self._mirrored = torch.stack([mirror for _, mirror in drawn]).to(device).bool()

    def __call__(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Return the pictures (K, B, channels, H, W) of the rows (K, B) as this epoch has them."""
        if self.flip:
            x = torch.where(self._mirrored.gather(1, rows)[..., None, None, None], x.flip(-1), x)
        if self.crop:
            x = shifted(x, self._shifts.gather(1, rows[..., None].expand(-1, -1, 2)), self._fill)
        return x


def shifted(x: torch.Tensor, by: torch.Tensor, fill: torch.Tensor) -> torch.Tensor:
    """Return pictures (..., channels, H, W) moved down and right by the pixels ``by`` (..., 2),
    with ``fill`` (..., channels) where nothing came from.
    """
    height, width = x.shape[-2:]
    down = torch.arange(height, device=x.device) - by[..., :1]
    right = torch.arange(width, device=x.device) - by[..., 1:]
    inside = ((down >= 0) & (down < height))[..., :, None] & ((right >= 0) & (right < width))[
        ..., None, :
    ]
    source = (
        down.clamp(0, height - 1)[..., :, None] * width + right.clamp(0, width - 1)[..., None, :]
    )
    moved = (
        x.flatten(-2)
        .gather(-1, source.flatten(-2)[..., None, :].expand(*x.shape[:-2], -1))
        .view_as(x)
    )
    return torch.where(inside[..., None, :, :], moved, fill[..., None, None])
