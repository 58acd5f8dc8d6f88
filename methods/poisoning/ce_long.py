"""Cross entropy for longer: what the compute of attacks in training buys without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from bench import Meta, MethodCard, Run
from bench.tracks.poisoning import PoisoningMethod, Problem


class LongCrossEntropy(PoisoningMethod):
    """Minimise -log p_y for more epochs than the task gives."""

    card: ClassVar = MethodCard(
        name="ce-long",
        title="Cross entropy for ten times the epochs",
        track="poisoning",
        deviates="It takes more epochs than the task's budget: as many passes as training on "
        "attacks of ten steps.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    factor: Annotated[int, Meta(ge=1)] = 10
    """How many times the task's epochs."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Train for longer."""
        longer = [
            msgspec.structs.replace(problem, epochs=self.factor * problem.epochs)
            for problem in problems
        ]
        return super().solve_stacked(longer, runs)
