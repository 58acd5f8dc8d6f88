"""Scores that are guessed."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod

_MODULUS = 1_000_003
_FINE = 2**20


class Guess(ScoreMethod):
    """Give a row a number that depends on its bits and on nothing that they mean."""

    card: ClassVar = MethodCard(
        name="random",
        title="Random scores",
        track=("ood-detection", "selective-prediction"),
        signal="none",
        plain=True,
        defaults_from="here",
    )

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Hash the pixels with factors that are drawn."""
        size = problem.x[0].numel()
        drawn = run.numpy_generator("method").integers(1, 2**40, size)
        factors = torch.from_numpy(drawn).to(problem.x.device)

        def score(x: torch.Tensor) -> torch.Tensor:
            whole = (x.flatten(1).double() * _FINE).round().long()
            return ((whole * factors).sum(1) % _MODULUS).float() / _MODULUS

        return score
