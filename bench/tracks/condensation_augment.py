"""Differentiable siamese augmentation (arXiv:2102.08259), batched over groups: one draw a group,
for all groups in one pass.

Every operation is written as data (an affine map, a mask, four colour factors) that is the identity
where a group drew another operation. So groups with different operations share each kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import torch
from torch.nn import functional as F

OPERATIONS = ("color", "crop", "cutout", "flip", "scale", "rotate")
"""What a strategy may name; written together with underscores, as in
``color_crop_cutout_scale_rotate``.
"""

FLIP, SCALE, ROTATE, CROP, CUTOUT, BRIGHTNESS, SATURATION, CONTRAST = (
    0.5,
    1.2,
    15.0,
    0.125,
    0.5,
    1.0,
    2.0,
    0.5,
)
"""Strengths of the authors' code (VICO-UoE/DatasetCondensation, utils.py, ParamDiffAug):
probability, ratio, degrees, shares of a side, factors.
"""


class Draw(msgspec.Struct, frozen=True):
    """One augmentation a group, or one an image: parameters of shape (G, 1 or B, ...).

    Attributes:
        theta: affine maps from output to input coordinates, (G, R, 2, 3).
        moved: groups whose images move at all, (G,), bool; the others are not resampled.
        centre: of the hole in pixels, (G, R, 2); outside the image where there is none.
        colour: added brightness, factors of saturation and contrast, (G, R, 3).
    """

    theta: torch.Tensor
    moved: torch.Tensor
    centre: torch.Tensor
    colour: torch.Tensor


def operations(strategy: str, flips: bool = True) -> tuple[str, ...]:
    """Return the operations that ``strategy`` names; flips are left out where a mirrored image is
    another class.

    Raises:
        ValueError: it names something else.
    """
    names = tuple(name for name in strategy.split("_") if name)
    if unknown := [name for name in names if name not in OPERATIONS]:
        raise ValueError(
            f"the strategy {strategy!r} names {unknown[0]!r}; the operations are "
            f"{', '.join(OPERATIONS)}."
        )
    return tuple(name for name in names if flips or name != "flip")


def draw(
    names: Sequence[str],
    groups: int,
    size: tuple[int, int],
    generator: torch.Generator,
    images: int = 1,
) -> Draw:
    """Draw an operation for each group, uniformly, and its parameters once a group (``images`` = 1)
    or for each image.

    Args:
        names: the operations to draw among, at least one.
        groups: G.
        size: height and width of the images.
        generator: of the numbers, which are drawn on its device.
        images: R, 1 for siamese draws.
    """

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(groups, images, *shape, generator=generator, device=generator.device)

    height, width = size
    which = torch.randint(len(names), (groups, 1), generator=generator, device=generator.device)
    chosen = {
        name: which == names.index(name)
        if name in names
        else torch.zeros_like(which, dtype=torch.bool)
        for name in OPERATIONS
    }
    u, v = uniform(2), uniform(3)
    one = torch.ones(groups, images, device=generator.device)
    # where x and y are read, in units of half a side
    sx, sy = (
        torch.where(chosen["scale"], 1 / SCALE + u[..., axis] * (SCALE - 1 / SCALE), one)
        for axis in (0, 1)
    )
    sx = torch.where(chosen["flip"] & (u[..., 0] < FLIP), -one, sx)
    angle = torch.where(chosen["rotate"], (u[..., 0] - 0.5) * 2 * ROTATE * math.pi / 180, 0 * one)
    pads = [int(side * CROP + 0.5) for side in (width, height)]
    tx, ty = (
        torch.where(
            chosen["crop"],
            ((u[..., axis] * (2 * pad + 1)).floor().clamp_max(2 * pad) - pad) * 2 / side,
            0 * one,
        )
        for axis, (pad, side) in enumerate(zip(pads, (width, height), strict=True))
    )
    cos, sin = angle.cos(), angle.sin()
    theta = torch.stack(
        [torch.stack([sx * cos, -sin, tx], -1), torch.stack([sin, sy * cos, ty], -1)], -2
    )
    holes = [int(side * CUTOUT + 0.5) for side in (height, width)]
    centre = torch.stack(
        [
            (u[..., axis] * (side + 1 - hole % 2)).floor()
            for axis, (side, hole) in enumerate(zip(size, holes, strict=True))
        ],
        -1,
    )
    centre = torch.where(chosen["cutout"][..., None], centre, centre.new_tensor(-2.0 * max(size)))
    colour = torch.stack(
        [(v[..., 0] - 0.5) * BRIGHTNESS, v[..., 1] * SATURATION, v[..., 2] + CONTRAST], -1
    )
    colour = torch.where(chosen["color"][..., None], colour, colour.new_tensor([0.0, 1.0, 1.0]))
    moved = (chosen["scale"] | chosen["flip"] | chosen["rotate"] | chosen["crop"]).flatten()
    return Draw(theta, moved, centre, colour)


def apply(drawn: Draw, x: torch.Tensor) -> torch.Tensor:
    """Return the images (G, B, channels, height, width) augmented by each group's draw; zero where
    nothing is known.

    Differentiable in ``x``. Two sets that are given one draw undergo the same change.
    """
    groups, images, channels, height, width = x.shape

    def each(parameter: torch.Tensor) -> torch.Tensor:
        return parameter.to(x.device, x.dtype).expand(groups, images, *parameter.shape[2:])

    brightness, saturation, contrast = (
        part[..., None, None, None] for part in each(drawn.colour).unbind(-1)
    )
    x = x + brightness
    grey = x.mean(2, keepdim=True)
    x = (x - grey) * saturation + grey
    level = x.mean((2, 3, 4), keepdim=True)
    x = (x - level) * contrast + level
    if bool(drawn.moved.any()):
        grid = F.affine_grid(
            each(drawn.theta).flatten(0, 1),
            [groups * images, channels, height, width],
            align_corners=False,
        )
        there = F.grid_sample(
            x.flatten(0, 1), grid, padding_mode="zeros", align_corners=False
        ).view_as(x)
        x = torch.where(drawn.moved.to(x.device).view(-1, 1, 1, 1, 1), there, x)
    keep = []
    for axis, (side, hole) in enumerate(
        ((height, int(height * CUTOUT + 0.5)), (width, int(width * CUTOUT + 0.5)))
    ):
        start = each(drawn.centre)[..., axis, None] - hole // 2
        place = torch.arange(side, device=x.device)
        keep.append((place >= start) & (place < start + hole))
    return x * ~(keep[0][..., :, None] & keep[1][..., None, :])[:, :, None]


def augmenter(
    names: Sequence[str], size: tuple[int, int], generator: torch.Generator
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that augments batches (K, B, ...): one operation a
    net, parameters drawn for each image anew at every call.
    """
    return lambda x: apply(draw(names, x.shape[0], size, generator, images=x.shape[1]), x)
