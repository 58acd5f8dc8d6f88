"""Blurred pictures: a plain way to remove noise."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard

from ._in_front import InFront

_KERNEL = ((1.0, 2.0, 1.0), (2.0, 4.0, 2.0), (1.0, 2.0, 1.0))


class Blur(InFront):
    """Blur every picture by a binomial kernel of 3x3, in training and at test."""

    card: ClassVar = MethodCard(
        name="blur",
        title="Blurred pictures",
        track="poisoning",
        signal="none",
        inputs="pictures",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def change(self, x: torch.Tensor) -> torch.Tensor:
        """Return blurred pictures; beyond the edge the nearest pixel goes on."""
        kernel = torch.tensor(_KERNEL, dtype=x.dtype, device=x.device) / 16
        flat = F.pad(x.reshape(-1, 1, *x.shape[-2:]), (1, 1, 1, 1), mode="replicate")
        return F.conv2d(flat, kernel[None, None]).view(x.shape)
