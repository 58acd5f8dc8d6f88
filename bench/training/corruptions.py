"""Corruptions of pictures at five severities, in one table that tracks share.

Pictures are on [0, 1]. Lengths in pixels are those of a picture of 28 pixels a side and grow with
it. What is drawn comes from a NumPy generator, so that a device changes nothing. The idea of kinds
times five severities is that of arXiv:1903.12261; kinds and levels are chosen for small pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from bench.errors import BenchError, near

__all__ = ["KINDS", "LEVELS", "SEVERITIES", "corrupt"]

LEVELS: dict[str, tuple[float, ...]] = {
    "noise": (0.1, 0.2, 0.3, 0.4, 0.5),
    "blur": (0.6, 1.0, 1.5, 2.0, 3.0),
    "rotate": (10.0, 20.0, 30.0, 40.0, 60.0),
    "shift": (0.5, 1.0, 1.5, 2.0, 3.0),
    "contrast": (0.9, 0.8, 0.7, 0.55, 0.4),
    "impulse": (0.02, 0.05, 0.1, 0.2, 0.35),
    "occlude": (0.15, 0.2, 0.25, 0.3, 0.375),
}
"""Kind -> its level at severities 1 to 5.

``noise``: standard deviation of normal noise. ``blur``: of a Gaussian, in pixels of 28. ``rotate``:
degrees, either way. ``shift``: pixels of 28, in any direction. ``contrast``: the factor c of
c x + (1 - c) / 2. ``impulse``: share of pixels that turn black or white. ``occlude``: side of a
black square, as a share of the picture's.
"""
KINDS = tuple(LEVELS)
"""The names of the corruptions."""
SEVERITIES = (1, 2, 3, 4, 5)
"""From hardly seen to hardly readable."""
_SIDE = 28
"""Pixels a side of the pictures that lengths are stated for."""


def corrupt(
    x: torch.Tensor, kind: str, severity: int, generator: np.random.Generator
) -> torch.Tensor:
    """Return corrupted copies of pictures.

    Args:
        x: pictures (n, channels, H, W), float32 on [0, 1].
        kind: one of :data:`KINDS`.
        severity: 1 to 5.
        generator: draws noise, directions and places, a picture at a time in their order.

    Returns:
        Pictures of the shape of ``x``, on [0, 1].

    Raises:
        BenchError: there is no such kind or severity, or ``x`` holds no pictures on [0, 1].
    """
    if kind not in LEVELS:
        raise BenchError(
            f"there is no corruption {kind!r}.{near(kind, KINDS)} The corruptions are "
            f"{', '.join(KINDS)}."
        )
    if severity not in SEVERITIES:
        raise BenchError(f"the severity of a corruption is {severity!r}; give 1, 2, 3, 4 or 5.")
    if x.dim() != 4 or not x.is_floating_point():
        raise BenchError(
            "corruptions read floating pictures (n, channels, height, width), but the inputs are "
            f"{x.dtype} of the shape {tuple(x.shape)}; scale pictures to [0, 1] first."
        )
    if x.numel() and not (float(x.min()) >= 0 and float(x.max()) <= 1):
        raise BenchError(
            f"corruptions read pictures on [0, 1], but these lie in [{float(x.min()):g}, "
            f"{float(x.max()):g}]; scale them first, and standardise after."
        )
    if not x.numel():
        return x.clone()
    return _ACTS[kind](x, LEVELS[kind][severity - 1], generator)


def _noise(x: torch.Tensor, level: float, generator: np.random.Generator) -> torch.Tensor:
    drawn = torch.from_numpy(generator.standard_normal(tuple(x.shape), np.float32))
    return (x + level * drawn.to(x)).clamp_(0, 1)


def _blur(x: torch.Tensor, level: float, generator: np.random.Generator) -> torch.Tensor:
    """Blur rows, then columns, by nine taps at 28 pixels a side; edges are mirrored."""
    for axis in (2, 3):
        scale = x.shape[axis] / _SIDE
        reach = min(math.ceil(4 * scale), x.shape[axis] - 1)
        at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
        taps = (-0.5 * (at / (level * scale)) ** 2).exp()
        shape = [1, 1, 1, 1]
        shape[axis] = len(taps)
        pad = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        padded = F.pad(x, pad, mode="reflect").flatten(0, 1)[:, None]
        x = F.conv2d(padded, (taps / taps.sum()).view(shape)).view_as(x)
    return x.clamp(0, 1)


def _rotate(x: torch.Tensor, level: float, generator: np.random.Generator) -> torch.Tensor:
    angles = np.deg2rad(level) * generator.choice([-1.0, 1.0], len(x))
    turned = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)], -1)
    return _resampled(x, turned.reshape(-1, 2, 2), np.zeros((len(x), 2)))


def _shift(x: torch.Tensor, level: float, generator: np.random.Generator) -> torch.Tensor:
    way = generator.uniform(0, 2 * np.pi, len(x))
    scale = level * np.array([x.shape[3], x.shape[2]]) / _SIDE
    by = np.stack([np.cos(way), np.sin(way)], -1) * scale
    return _resampled(x, np.broadcast_to(np.eye(2), (len(x), 2, 2)), by)


def _resampled(x: torch.Tensor, matrix: np.ndarray, by: np.ndarray) -> torch.Tensor:
    """Return pictures whose pixel at q (right, down; from the centre, in pixels) is that of
    ``matrix`` (n, 2, 2) q - ``by`` (n, 2), between pixels by both axes' distances, black beyond.
    """
    half = np.array([x.shape[3], x.shape[2]]) / 2
    # grid_sample counts from the centre in halves of the picture
    scaled = matrix * half[None, None, :] / half[None, :, None]
    theta = torch.from_numpy(np.concatenate([scaled, -(by / half)[..., None]], -1)).to(x)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False).clamp_(0, 1)


def _contrast(x: torch.Tensor, level: float, generator: np.random.Generator) -> torch.Tensor:
    return level * x + (1 - level) / 2


def _impulse(x: torch.Tensor, level: float, generator: np.random.Generator) -> torch.Tensor:
    """Turn pixels, in all channels, black or white with equal chance."""
    drawn = torch.from_numpy(generator.random((len(x), 1, *x.shape[2:]), np.float32)).to(x)
    white = (drawn < level / 2).to(x)
    return torch.where(drawn < level, white, x)


def _occlude(x: torch.Tensor, level: float, generator: np.random.Generator) -> torch.Tensor:
    """Blacken a square that lies within the picture."""
    covered = None
    for size, axis in ((x.shape[2], 2), (x.shape[3], 3)):
        side = max(1, round(level * size))
        start = torch.from_numpy(generator.integers(0, size - side + 1, len(x))).to(x.device)
        at = torch.arange(size, device=x.device) - start[:, None]
        inside = ((at >= 0) & (at < side)).unflatten(1, (-1, 1) if axis == 2 else (1, -1))
        covered = inside if covered is None else covered & inside
    assert covered is not None
    return x.masked_fill(covered[:, None], 0.0)


_ACTS: dict[str, Callable[[torch.Tensor, float, np.random.Generator], torch.Tensor]] = {
    "noise": _noise,
    "blur": _blur,
    "rotate": _rotate,
    "shift": _shift,
    "contrast": _contrast,
    "impulse": _impulse,
    "occlude": _occlude,
}
