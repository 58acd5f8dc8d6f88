"""Disagreement with an out-of-fold model."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard, Run
from bench.tracks.label_errors import Problem, Solution

from ._oof import OutOfFoldDetector


class OutOfFoldDisagreement(OutOfFoldDetector):
    """Flag every row for which a model that did not see it says another class.

    What a detector must beat.
    """

    card: ClassVar = MethodCard(
        name="oof-disagree",
        title="Disagreement with an out-of-fold model",
        track="label-errors",
        signal="oof",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Flag argmax p != y; the flag is the suspicion."""
        return Solution(flags=self.probabilities(problem, run).argmax(1) != problem.y)
