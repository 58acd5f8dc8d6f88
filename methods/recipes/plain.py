"""Plain training: the baseline of the tracks of training recipes."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.training.recipe import Recipe


class Plain(Recipe):
    """Minimise -log p_y, or the squared error of real targets, on the rows as they are."""

    card: ClassVar = MethodCard(
        name="plain",
        title="Plain training",
        track=("recipes", "long-tail", "adversarial", "regression"),
        stacked=True,
        plain=True,
        defaults_from="here",
    )
