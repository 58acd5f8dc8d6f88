"""Pictures of noise: power spectra that fall like natural ones, and squares that hide each other
(arXiv:2106.05963).
"""

from __future__ import annotations

import torch

__all__ = ["leaves", "spectra"]

_SLOPES = (0.5, 3.5)
_TILT = 0.05
_RADII = (0.03, 1.0)
_LEAVES = 5000
_AT_ONCE = 62
"""Leaves whose places fit into the bits of an integer."""


def spectra(count: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """Return pictures (count, height, width) on [0, 1] whose amplitude at frequencies (fx, fy), in
    cycles a pixel, is 1 / (abs(fx)^a + abs(fy)^b), their phases those of white noise.

    a and b are a slope from U(.5, 3.5), plus and minus a tilt from N(0, .05).
    """
    white = torch.rand(count, height, width, generator=generator)
    slope = torch.rand(count, 1, 1, generator=generator) * (_SLOPES[1] - _SLOPES[0]) + _SLOPES[0]
    tilt = torch.randn(count, 1, 1, generator=generator) * _TILT
    down = torch.fft.fftfreq(height).abs()[:, None] ** (slope - tilt)
    right = torch.fft.fftfreq(width).abs() ** (slope + tilt)
    amplitude = 1 / (down + right)
    amplitude[:, 0, 0] = 0.0
    phases = torch.fft.fft2(white - white.mean((1, 2), keepdim=True)).angle()
    found = torch.fft.ifft2(torch.polar(amplitude, phases)).real
    found = found - found.amin((1, 2), keepdim=True)
    return found / found.amax((1, 2), keepdim=True)


def leaves(count: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """Return pictures (count, height, width) on [0, 1] of squares of one grey each, which fall at
    random places and hide what lies below, until they cover the picture.

    Radii, in sides of the picture, have a density that falls with their third power from .03 to 1;
    none is below a pixel.
    """
    shown = torch.zeros(count, height, width)
    bare = torch.ones(count, height, width, dtype=torch.bool)
    bit = 2 ** torch.arange(_AT_ONCE)[:, None]
    side = max(height, width)
    low, high = (radius**-2 for radius in _RADII)
    # from the last that falls to the first: what lies below shows where nothing was put yet
    for _ in range(0, _LEAVES, _AT_ONCE):
        share, grey, y, x = torch.rand(4, count, _AT_ONCE, generator=generator)
        radius = (side * (low + share * (high - low)) ** -0.5).clamp_min(1.0)
        half = (radius / 2**0.5)[..., None]
        # bit i of a row, and of a column, says whether leaf i reaches it
        rows = (((torch.arange(height) - y[..., None] * height).abs() <= half) * bit).sum(1)
        columns = (((torch.arange(width) - x[..., None] * width).abs() <= half) * bit).sum(1)
        found = rows[:, :, None] & columns[:, None]
        lowest = (found & -found).clamp_min(1).double().frexp().exponent.long() - 1
        shown = torch.where(
            bare & (found > 0), grey.gather(1, lowest.flatten(1)).view_as(shown), shown
        )
        bare &= found == 0
        if not bare.any():
            break
    return shown
