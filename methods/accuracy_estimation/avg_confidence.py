"""The mean confidence of a net."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.accuracy_estimation import Problem, Solution, probabilities


class AverageConfidence(Method):
    """Take the net at its word: the mean of its largest probability."""

    card: ClassVar = MethodCard(
        name="avg-confidence",
        title="Mean confidence",
        track="accuracy-estimation",
        signal="held-out",
        plain=True,
        defaults_from="here",
    )
    settings: ClassVar = {"ts": {"calibrate": True}}
    calibrate: bool = False
    """Divide logits by a temperature that is fitted on the validation rows."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return the mean of max p of each set."""
        _, sets = probabilities(problem, self.calibrate)
        means = [p.max(1).values.mean() for p in sets]
        return Solution(accuracy=100 * torch.stack(means))
