"""Answer always."""

from __future__ import annotations

from typing import ClassVar

from bench import Method, MethodCard, Run
from bench.tracks.selective_prediction import Solution
from bench.tracks.selective_prediction_actions import RewardProblem


class AnswerAlways(Method):
    """Give every row the net's most probable class."""

    card: ClassVar = MethodCard(
        name="argmax",
        title="The most probable class, always",
        track="selective-prediction",
        signal="none",
        needs=("penalty",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: RewardProblem, run: Run) -> Solution:
        """Keep every answer: no probability is below 0."""
        model = problem.model
        return Solution(score=lambda x: model(x).softmax(1).amax(1, keepdim=True), threshold=0.0)
