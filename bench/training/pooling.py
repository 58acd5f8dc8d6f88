"""Pooling of 2x2 pixels with gradients written out: means, and the largest after a ReLU.

Both give the bits of torch's own operations and may be differentiated as often as wanted. For means
of slices torch adds up four whole pictures of gradients, and its kernel of the maximum on a CPU
goes pixel by pixel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

__all__ = ["halved", "relu_largest"]

_SMALL = 1 << 20
"""Numbers of a tensor below which it is in the cache and torch's own way costs as little."""


def _even(x: torch.Tensor) -> tuple[int, int]:
    """Height and width that whole squares cover."""
    height, width = x.shape[-2:]
    return height - height % 2, width - width % 2


# Means
# -------------------------------------------------------------------------------------------------


def _means(h: torch.Tensor) -> torch.Tensor:
    rows, columns = _even(h)
    h = h[..., 0:rows:2, :] + h[..., 1:rows:2, :]
    return (h[..., 0:columns:2] + h[..., 1:columns:2]) * 0.25


class _Halved(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(h: torch.Tensor) -> torch.Tensor:
        return _means(h)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        ctx.sides = inputs[0].shape[-2:]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = _Spread.apply(gradient, *ctx.sides)  # type: ignore[no-untyped-call]
        return found


class _Spread(torch.autograd.Function):
    """Give a quarter of each number to the four pixels that it is the mean of: the derivative of
    ``_Halved``, whose derivative is ``_Halved`` again.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(small: torch.Tensor, height: int, width: int) -> torch.Tensor:
        quarter = small * 0.25
        # a complex number is a pair of neighbours, and is written at half the time of two strides
        wide = torch.view_as_real(torch.complex(quarter, quarter)).flatten(-2)
        whole = wide[..., :, None, :].expand(*wide.shape[:-1], 2, wide.shape[-1]).flatten(-3, -2)
        rest = (width - whole.shape[-1], height - whole.shape[-2])
        return F.pad(whole, (0, rest[0], 0, rest[1])) if any(rest) else whole

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[torch.Tensor, int, int], output: torch.Tensor
    ) -> None:
        """Keep nothing: the derivative of a linear map does not depend on where it is taken."""

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _Halved.apply(gradient), None, None  # type: ignore[no-untyped-call]


def halved(h: torch.Tensor) -> torch.Tensor:
    """Return the means over squares of 2x2 pixels, as ``avg_pool2d`` does, of pictures (..., H, W);
    whole rows, then whole columns are added, which takes half its time on a CPU.
    """
    if h.numel() < _SMALL:
        return _means(h)
    found: torch.Tensor = _Halved.apply(h)  # type: ignore[no-untyped-call]
    return found


# The largest
# -------------------------------------------------------------------------------------------------


def _largest(x: torch.Tensor) -> torch.Tensor:
    rows, columns = _even(x)
    tall = torch.maximum(x[..., 0:rows:2, :], x[..., 1:rows:2, :])
    return torch.maximum(tall[..., 0:columns:2], tall[..., 1:columns:2])


class _Largest(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        (rows, columns), width = _even(x), x.shape[-1]
        left, right = x[..., :rows, 0:columns:2], x[..., :rows, 1:columns:2]
        # strictly: the first of equal pixels takes the gradient, as in torch
        second, across = right > left, torch.maximum(left, right)
        top, bottom = across[..., 0::2, :], across[..., 1::2, :]
        below, place = bottom > top, torch.arange(0, columns, 2, device=x.device)
        place = place + width * torch.arange(0, rows, 2, device=x.device)[:, None]
        column = torch.where(below, second[..., 1::2, :], second[..., 0::2, :])
        return torch.maximum(top, bottom), column.long().add_(place).add_(below, alpha=width)

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[torch.Tensor], output: tuple[torch.Tensor, torch.Tensor]
    ) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs, output[1])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        x, places = ctx.saved_tensors
        found: torch.Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
            gradient, x, [2, 2], [2, 2], [0, 0], [1, 1], False, places
        )
        return found


def relu_largest(x: torch.Tensor) -> torch.Tensor:
    """Return ``max_pool2d(x.relu(), 2)`` of pictures (B, C, H, W): the ReLU comes second, on a
    quarter of the numbers.
    """
    if x.device.type != "cpu" or x.numel() < _SMALL:
        return F.max_pool2d(x.relu(), 2)
    if not torch.is_grad_enabled():
        return _largest(x).relu_()
    found: torch.Tensor = _Largest.apply(x)[0]  # type: ignore[no-untyped-call]
    return found.relu_()
