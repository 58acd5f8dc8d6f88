"""The squared error: the baseline of one-sided noise."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.noisy_regression import Recipe


class SquaredError(Recipe):
    """Minimise (y - f)^2: the net learns the mean of the targets, which is too low."""

    card: ClassVar = MethodCard(
        name="mse",
        title="Squared error",
        track="noisy-regression",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
