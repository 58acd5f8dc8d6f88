"""The margin between the two most probable classes."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod


class Margin(ScoreMethod):
    """Score a row by how far its most probable class is ahead of the next."""

    card: ClassVar = MethodCard(
        name="margin",
        title="Margin of probabilities",
        track="selective-prediction",
        plain=True,
        defaults_from="here",
    )

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """p_(1) - p_(2)."""

        def score(x: torch.Tensor) -> torch.Tensor:
            first, second = problem.model(x).softmax(1).topk(2).values.T
            return first - second

        return score
