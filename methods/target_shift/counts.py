"""Count what the net says: the plain way to see a shift of classes."""

from __future__ import annotations

from typing import ClassVar

from bench import Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, classes_of
from bench.tracks.target_shift_classes import confusion


class Counts(Method):
    """Take the share of target rows that are said to be a class for the share that are."""

    card: ClassVar = MethodCard(
        name="counts",
        title="Classify and count",
        track="target-shift",
        signal="held-out",
        needs=("classes",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return said shares of the target over true shares of the source."""
        classes = classes_of(problem)
        return Solution(weights=confusion(classes).target / classes.shares)
