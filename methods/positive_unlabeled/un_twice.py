"""What is not known is negative, for twice the steps: the baseline at the leaders' compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec

from bench import Meta, MethodCard, Run
from bench.tracks.positive_unlabeled import PositiveUnlabeledMethod, Problem, Solution


class MoreSteps(PositiveUnlabeledMethod):
    """Take as many steps as cost what methods with a second net or a second sample cost."""

    card: ClassVar = MethodCard(
        name="un-twice",
        title="What is not known is negative, twice the steps",
        track="positive-unlabeled",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_known: ClassVar = False
    times: Annotated[int, Meta(ge=1)] = 2
    """Steps, in steps of the task."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train for so many steps."""
        longer = [
            msgspec.structs.replace(problem, steps=self.times * problem.steps)
            for problem in problems
        ]
        return super().solve_stacked(longer, runs)
