"""Random views of pictures: one affine resample, a contrast and a blank square."""

from __future__ import annotations

import functools
import math
from typing import Annotated

import msgspec
import torch
from msgspec import Meta

from bench.training.resample import resample

__all__ = ["View", "viewed"]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a random view does to a picture; each number is the most that is drawn, either way.

    Attributes:
        rotation: in degrees.
        zoom: share by which it grows or shrinks, in [0, 1).
        shear: how far a row moves for each row that it lies from the middle.
        shift: pixels, right or left and up or down.
        contrast: share by which contrast grows or shrinks, in [0, 1).
        blank: side of one blank square, in pixels; 0: none.
    """

    rotation: Annotated[float, Meta(ge=0)] = 0.0
    zoom: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    shear: Annotated[float, Meta(ge=0)] = 0.0
    shift: Annotated[float, Meta(ge=0)] = 0.0
    contrast: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    blank: Annotated[int, Meta(ge=0)] = 0


def viewed(x: torch.Tensor, view: View, drawn: torch.Tensor, fill: torch.Tensor) -> torch.Tensor:
    """Return random views of pictures: one affine resample, contrast, one blank square.

    Args:
        x: pictures (K, B, channels, H, W).
        view: the most that is done.
        drawn: eight numbers a picture (K, B, 8), in [0, 1).
        fill: what is blank in each member's pictures (K,).
    """
    flat, drawn = x.flatten(0, 1), drawn.flatten(0, 1)
    numbers = 2 * drawn.to(x.dtype) - 1
    blank = fill.to(x.dtype).repeat_interleave(x.shape[1]).view(-1, 1, 1, 1)
    found = resample(flat, _maps(numbers, view, x.shape[-2], x.shape[-1]), blank)
    if view.contrast:
        found = blank + (found - blank) * (1 + view.contrast * numbers[:, 5, None, None, None])
    if view.blank:
        room, places = _square(view, x.shape[-2], x.shape[-1], x.device)
        top, left = (drawn[:, 6:] * room).floor().split(1, 1)
        rows, columns = places[0] - top, places[1] - left
        inside = ((rows >= 0) & (rows < view.blank))[:, :, None] & (
            (columns >= 0) & (columns < view.blank)
        )[:, None]
        found = torch.where(inside[:, None], blank, found)
    return found.view_as(x)


def _maps(numbers: torch.Tensor, view: View, height: int, width: int) -> torch.Tensor:
    """Return what :func:`bench.training.resample.affine_maps` returns for these numbers (n, 8) in
    [-1, 1), bit for bit and in half as many operations: views are most of a step's.
    """
    most, sides = _most(view, height, width, numbers.device, numbers.dtype)
    drawn = numbers[:, :5].T.contiguous() * most / sides
    angle, shear, zoom, _, _ = drawn.unbind()
    cos, sin, scale = angle.cos(), angle.sin(), (1 + zoom).reciprocal()
    linear = torch.stack(
        [cos * scale, (shear * cos - sin) * scale, sin * scale, (shear * sin + cos) * scale], -1
    ).view(-1, 2, 2)
    moved = (2 * drawn[3:]).T.contiguous()
    return torch.cat([linear, -torch.bmm(linear, moved[..., None])], -1)


@functools.lru_cache(64)
def _most(
    view: View, height: int, width: int, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the most that the five numbers of a map reach, and what they count in: (5, 1)."""
    most = [math.radians(view.rotation), view.shear, view.zoom, view.shift, view.shift]
    sides = [1.0, 1.0, 1.0, width, height]
    made = torch.tensor([most, sides], dtype=dtype, device=device)
    return made[0, :, None], made[1, :, None]


@functools.lru_cache(64)
def _square(
    view: View, height: int, width: int, device: torch.device
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Return how many places there are for the square's corner (2,), and the rows and columns."""
    room = [height - view.blank + 1, width - view.blank + 1]
    places = torch.arange(height, device=device), torch.arange(width, device=device)
    return torch.tensor(room, device=device), places
