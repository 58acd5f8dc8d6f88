"""Track ``noisy-regression``: real targets of which some are too low and none is too high.

A sensor that misses a part of what it measures reports less than there is. Problem, solution and
base class are those of :mod:`bench.training.recipe`.

Shapes: K members (seeds), B rows of a batch, N training rows.
"""

from __future__ import annotations

from typing import Annotated

import torch

from bench.cards import TrackCard
from bench.declared import Array, Meta, Size
from bench.training import recipe
from bench.training.recipe import Batch, Recipe, Seeds, Solution

__all__ = ["Batch", "Problem", "Recipe", "Seeds", "Solution", "gaps"]

TRACK = TrackCard(
    name="noisy-regression",
    title="One-sided noise in targets",
    about="Train a net on real targets of which some are too low.",
    field="wrong labels",
    ranked="losses, by the mean absolute error on test rows with clean targets",
)


class Problem(recipe.Problem, frozen=True, kw_only=True):
    """What a method sees: inputs, targets of which some are too low, and the protocol.

    Attributes:
        x: inputs (N, D), float32; each column with mean 0 and variance 1.
        y: targets (N,), float32, in standard deviations of the clean targets, whose mean is 0.
        n_classes: width of the output, 1.
    """

    y: Annotated[torch.Tensor, Array("N", dtype="float32")]
    n_classes: Annotated[int, Size("C"), Meta(le=1)] = 1


def gaps(batch: Batch, outputs: torch.Tensor) -> torch.Tensor:
    """Return how far the targets are above the outputs (K, B), for outputs (K, B, 1)."""
    found: torch.Tensor = batch.y - outputs[..., 0]
    return found
