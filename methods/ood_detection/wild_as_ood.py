"""All unlabelled rows taken to be out of the distribution: what a filter has to beat."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.ood_detection import Problem, Solution, told_apart
from bench.training.fixed_net import Recipe


class WildAsOod(Method):
    """Train the net to tell training rows from all unlabelled ones."""

    card: ClassVar = MethodCard(
        name="wild-as-ood",
        title="All unlabelled rows as out of the distribution",
        track="ood-detection",
        needs=("wild",),
        plain=True,
        defaults_from="here",
    )
    weight: Annotated[float, Meta(ge=0)] = 10.0
    """Of the loss that tells rows apart."""
    epochs: Annotated[int, Meta(ge=1)] = 5
    """Passes over the training rows."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Of AdamW at the start."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on, as ``sal`` does after its filter."""
        assert problem.wild is not None, "the card needs wild"
        return told_apart(
            problem, problem.wild, self.weight, Recipe(epochs=self.epochs, lr=self.lr), run
        )
