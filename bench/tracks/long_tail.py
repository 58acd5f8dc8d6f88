"""Track ``long-tail``: train a net on classes of very different size; it is judged on classes of
equal size.

Problem, solution and base class are those of :mod:`bench.training.recipe`.
"""

from __future__ import annotations

import torch

from bench.cards import TrackCard
from bench.training import recipe
from bench.training.recipe import Recipe, Seeds, Solution

__all__ = ["Problem", "Recipe", "Solution", "class_sizes"]

TRACK = TrackCard(
    name="long-tail",
    title="Long-tailed classes",
    about="Train a net on classes whose sizes fall exponentially.",
    field="training",
    ranked="training methods, by the mean of the classes' accuracies",
)


class Problem(recipe.Problem, frozen=True, kw_only=True):
    """What a method sees: labelled rows, many of some classes and few of others."""


def class_sizes(seeds: Seeds) -> torch.Tensor:
    """Return how many rows every class has (K, C), float32; a class without rows counts as one."""
    classes = seeds.problem.n_classes
    counts = torch.nn.functional.one_hot(seeds.y, classes).sum(1)
    return counts.clamp_min(1).float()
