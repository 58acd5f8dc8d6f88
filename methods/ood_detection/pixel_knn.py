"""Distance to the nearest training rows, without any net."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod

from ._neighbours import enough, kth


class NearestPixels(ScoreMethod):
    """Score a row by how close its k-th neighbour among the training rows is."""

    card: ClassVar = MethodCard(
        name="pixel-knn",
        title="k-th nearest training rows, by their pixels",
        track="ood-detection",
        plain=True,
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=1)] = 10
    """Which neighbour."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """-||x - x_(k)||."""
        enough(self.k, len(problem.x))
        known = problem.x.flatten(1)
        return lambda x: -kth(x.flatten(1), known, self.k)
