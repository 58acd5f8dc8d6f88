"""The squared error, stopped early on held-out rows with their targets as given."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ..recipes.plain_early import PlainEarly


class SquaredErrorEarly(PlainEarly):
    """Train on most rows, and hand over the net with the lowest squared error on the others."""

    card: ClassVar = MethodCard(
        name="mse-early",
        title="Squared error, stopped early on held-out rows",
        track="noisy-regression",
        deviates="Held-out targets are too low as often as the others.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
