"""Plain training for longer: what the compute of dearer methods buys without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from bench import Meta, MethodCard, Run
from bench.training.recipe import Problem, Recipe


class PlainLong(Recipe):
    """Minimise the plain loss for more epochs than the task gives; the learning rate falls over all
    of them.
    """

    card: ClassVar = MethodCard(
        name="plain-long",
        title="Plain training for twice the epochs",
        track=("recipes", "long-tail", "regression"),
        deviates="It takes more epochs than the task's budget: as many passes as methods that "
        "compute a second gradient or train a teacher.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    factor: Annotated[int, Meta(ge=1)] = 2
    """How many times the task's epochs."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Train for longer."""
        longer = [
            msgspec.structs.replace(problem, epochs=self.factor * problem.epochs)
            for problem in problems
        ]
        return super().solve_stacked(longer, runs)
