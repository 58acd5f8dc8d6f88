"""The entropy of the net's probabilities."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod


class Entropy(ScoreMethod):
    """Score a row by how little its probabilities are spread over the classes."""

    card: ClassVar = MethodCard(
        name="entropy",
        title="Entropy of probabilities",
        track="selective-prediction",
        plain=True,
        defaults_from="here",
    )

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Sum_c p_c log p_c."""

        def score(x: torch.Tensor) -> torch.Tensor:
            logits = problem.model(x).log_softmax(1)
            return (logits.exp() * logits).sum(1)

        return score
