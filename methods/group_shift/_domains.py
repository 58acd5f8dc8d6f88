"""Middle domains of pictures (arXiv:2103.10919): what is computed of a picture before a net sees
it. Pictures (n, c, H, W) have pixels in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

_GAUSS = torch.tensor([1.0, 0.0, 1.0]).div(-18).exp()
"""Of a Gaussian of sigma 3, at one pixel left, here, and one right."""


def filtered(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return pictures filtered channel by channel with a kernel (3, 3); beyond its edge a picture
    goes on as its last pixels.
    """
    padded = F.pad(x.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernel.to(x)[None, None]).view_as(x)


def low_pass(x: torch.Tensor) -> torch.Tensor:
    """Return the mean of 3x3 pixels by a Gaussian of sigma 3."""
    line = _GAUSS / _GAUSS.sum()
    return filtered(x, line[:, None] * line)


def sharp(x: torch.Tensor) -> torch.Tensor:
    """Return 2 x minus the low-pass picture, in [0, 1]."""
    return (2 * x - low_pass(x)).clamp(0, 1)


def emboss(x: torch.Tensor) -> torch.Tensor:
    """Return for each of four neighbours (lower left, lower, lower right, right) the pixel minus
    it, plus a half, in [0, 1]: 4 c channels.
    """
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    high, wide = x.shape[2:]
    places = ((2, 0), (2, 1), (2, 2), (1, 2))
    return torch.cat(
        [(x - padded[..., i : i + high, j : j + wide] + 0.5).clamp(0, 1) for i, j in places], 1
    )


def grey(x: torch.Tensor) -> torch.Tensor:
    """Return the mean of the channels, in each."""
    return x.mean(1, keepdim=True).expand_as(x).contiguous()


def sobel(x: torch.Tensor) -> torch.Tensor:
    """Return the length of the gradient by Sobel's filters."""
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    return (filtered(x, across).square() + filtered(x, across.T).square()).sqrt()


def laplace(x: torch.Tensor) -> torch.Tensor:
    """Return the Laplacian of four neighbours."""
    return filtered(x, torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]))


def identity(x: torch.Tensor) -> torch.Tensor:
    """Return the pictures."""
    return x


DOMAINS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": identity,
    "emboss": emboss,
    "low-pass": low_pass,
    "sharp": sharp,
    "grey": grey,
    "sobel": sobel,
    "laplace": laplace,
}
"""Name of a middle domain -> what computes it."""
