"""A random search of squares that reads outputs and no gradient.

Source: arXiv:1912.00049, algorithms 1 and 2; fra31/auto-attack, square.py.
"""

from __future__ import annotations

import math

import torch

from bench.training.attacks_ball import Ball, Generators, Model, drawn, margin

__all__ = ["share_of_pixels", "square"]

_HALVED_AT = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries of 10,000 after which the share of pixels halves."""


def share_of_pixels(query: int, queries: int, first: float = 0.8) -> float:
    """Return the share of a picture's pixels, in (0, 1], that the window of this query covers."""
    place = int(query / queries * 10_000)
    return first * 0.5 ** sum(place > limit for limit in _HALVED_AT)


def square(
    model: Model,
    x: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    *,
    queries: int,
    generators: Generators,
    first: float = 0.8,
) -> torch.Tensor:
    """Return inputs of larger margin, of the shape of ``x``, found by trying windows at random.

    The search starts at vertical stripes of +-eps. A query changes one window of each row, a square
    of a picture or a stretch of a vector, to x +- eps with one sign a channel, and keeps it where
    the margin grows. In ``l2``, which the paper searches otherwise, the window gets the length eps
    by itself and the whole change is scaled back to eps.

    Args:
        model: from inputs ``(*lead, ...)`` to logits ``(*lead, C)``, each row by itself.
        x: the rows, pictures ``(*lead, channels, height, width)`` or vectors ``(*lead, d)``.
        labels: true classes ``(*lead,)``.
        ball: where the search may go.
        queries: calls of the model after the first.
        generators: one for all rows, or one for each entry of the first axis.
        first: share of the pixels of the first windows, in (0, 1].
    """
    lead, worth = labels.dim(), margin(labels)
    shape = x.shape[lead:] if x.dim() - lead == 3 else (1, 1, x.shape[lead:].numel())
    channels, height, width = shape
    pictures = x.reshape(*labels.shape, *shape)

    def placed(change: torch.Tensor) -> torch.Tensor:
        """Return the inputs with this change, which in ``l2`` is scaled to the length eps."""
        if ball.norm == "l2":
            length = change.flatten(lead).norm(dim=-1).clamp_min(1e-12)
            change = change * (ball.eps / length)[..., None, None, None]
        return ball.project((pictures + change).reshape(x.shape), x, lead)

    def signs(*size: int) -> torch.Tensor:
        return drawn(torch.rand, (*labels.shape, *size), generators, x).sub(0.5).sign()

    with torch.no_grad():
        at = placed(ball.eps * signs(channels, 1, width).expand(pictures.shape))
        value = worth(model(at))
        down, right = (torch.arange(side, device=x.device) for side in (height, width))
        for query in range(queries):
            tall, wide = _window(share_of_pixels(query, queries, first), height, width)
            corner = drawn(torch.rand, (*labels.shape, 2), generators, x)
            top = (corner[..., 0] * (height - tall + 1)).long()[..., None]
            left = (corner[..., 1] * (width - wide + 1)).long()[..., None]
            rows, columns = (
                (down >= top) & (down < top + tall),
                (right >= left) & (right < left + wide),
            )
            window = (rows[..., :, None] & columns[..., None, :])[..., None, :, :]
            size = ball.eps
            if ball.norm == "l2":
                size /= math.sqrt(channels * tall * wide)
            change = at.reshape(pictures.shape) - pictures
            tried = placed(torch.where(window, size * signs(channels, 1, 1), change))
            now = worth(model(tried))
            better = now > value
            at = torch.where(better.view(*better.shape, *[1] * (x.dim() - lead)), tried, at)
            value = torch.where(better, now, value)
    return at


def _window(share: float, height: int, width: int) -> tuple[int, int]:
    """Return height and width of a window with this share of the pixels."""
    if height == 1:
        return 1, min(max(round(share * width), 1), width)
    side = max(round(math.sqrt(share * height * width)), 1)
    return min(side, height), min(side, width)
