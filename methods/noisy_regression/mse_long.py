"""The squared error for twice the epochs."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ..recipes.plain_long import PlainLong


class SquaredErrorLong(PlainLong):
    """Minimise the squared error for more epochs than the task gives."""

    card: ClassVar = MethodCard(
        name="mse-long",
        title="Squared error for twice the epochs",
        track="noisy-regression",
        deviates="It takes more epochs than the task's budget.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
