"""Weight decay (Krogh and Hertz, NeurIPS 1991)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training import optimisers
from bench.training.recipe import Recipe, Seeds


class WeightDecay(Recipe):
    """Add decay / 2 ||w||^2 to the loss: SGD takes decay w from every gradient."""

    card: ClassVar = MethodCard(
        name="weight-decay",
        title="Weight decay",
        track="recipes",
        paper="Krogh and Hertz, NeurIPS 1991",
        bibtex="""@inproceedings{krogh1991simple,
  title = {A Simple Weight Decay Can Improve Generalization},
  author = {Krogh, Anders and Hertz, John A.},
  booktitle = {NeurIPS},
  year = {1991}
}""",
        claim="Shrinking weights suppresses what the data do not determine, and generalises "
        "better.",
        stacked=True,
        defaults_from="here",
        trials=5,
        tuning={"decay": (5e-4, 1e-3, 5e-3, 1e-2, 5e-2)},
    )
    decay: Annotated[float, Meta(ge=0)] = 5e-3
    """Weight of the penalty, in place of the task's."""

    def optimiser(self, seeds: Seeds) -> torch.optim.Optimizer:
        """Return SGD with the decay."""
        problem = seeds.problem
        return optimisers.sgd(seeds.nets.parameters(), problem.lr, problem.momentum, self.decay)
