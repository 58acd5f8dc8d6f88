"""Track ``recipes``: train a net well on few labelled rows.

Problem, solution and base class are those of :mod:`bench.training.recipe`.
"""

from __future__ import annotations

from bench.cards import TrackCard
from bench.training import recipe
from bench.training.recipe import Recipe, Solution

__all__ = ["Problem", "Recipe", "Solution"]

TRACK = TrackCard(
    name="recipes",
    title="Training recipes",
    about="Train a net on few labelled rows, with changed examples, targets or steps.",
    field="training",
    ranked="training methods, by test accuracy, and by the divergence from the true posterior "
    "where it is known; calibration, corruptions and outliers are columns",
)


class Problem(recipe.Problem, frozen=True, kw_only=True):
    """What a method sees: labelled rows, all classes alike, and the protocol."""
