"""Scores that are guessed."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.input_attribution import AttributionMethod, Problem


class Guess(AttributionMethod):
    """Give each pixel a random number."""

    card: ClassVar = MethodCard(
        name="random",
        title="Random scores",
        track="input-attribution",
        signal="none",
        plain=True,
        defaults_from="here",
    )

    def attribute(self, problem: Problem, run: Run) -> torch.Tensor:
        """Draw uniform numbers."""
        drawn = run.numpy_generator("method").random(tuple(problem.x.shape), dtype="float32")
        return torch.from_numpy(drawn).to(problem.x.device)
