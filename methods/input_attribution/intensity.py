"""The distance of a pixel from its mean, without a look at the net."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.input_attribution import AttributionMethod, Problem


class Intensity(AttributionMethod):
    """Score a pixel by how far it is from the mean picture."""

    card: ClassVar = MethodCard(
        name="intensity",
        title="Distance from the mean picture",
        track="input-attribution",
        signal="none",
        plain=True,
        defaults_from="here",
    )

    def attribute(self, problem: Problem, run: Run) -> torch.Tensor:
        """Return x minus the mean."""
        return problem.x - problem.mean
