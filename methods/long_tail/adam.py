"""Adam on heavy-tailed classes (arXiv:1412.6980, arXiv:2402.19449)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training import optimisers
from bench.training.recipe import Batch, Recipe, Seeds, train_step
from bench.training.stack import StackedNet


class Adam(Recipe):
    """Plain training with Adam in place of SGD."""

    card: ClassVar = MethodCard(
        name="adam",
        title="Plain training with Adam",
        track="long-tail",
        paper="arXiv:2402.19449",
        bibtex="""@inproceedings{kunstner2024heavy,
  title = {Heavy-Tailed Class Imbalance and Why Adam Outperforms Gradient Descent on Language
    Models},
  author = {Kunstner, Frederik and Yadav, Robin and Milligan, Alan and Schmidt, Mark and Bietti,
    Alberto},
  booktitle = {NeurIPS},
  year = {2024},
  eprint = {2402.19449},
  archivePrefix = {arXiv}
}""",
        claim="Where most rows are of rare classes, SGD learns those slowly and Adam does not.",
        deviates="The claim is about the training loss; there is no weight decay.",
        stacked=True,
        defaults_from="here",
        trials=4,
        tuning={"lr": (1e-4, 3e-4, 1e-3, 3e-3)},
    )
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Rate at the start; it falls as the task's does."""

    def start(self, seeds: Seeds) -> float:
        """Return the rate over the task's."""
        return self.lr / seeds.problem.lr

    def optimiser(self, seeds: Seeds) -> torch.optim.Optimizer:
        """Return Adam."""
        return optimisers.adam(seeds.nets.parameters(), self.lr)

    def step(
        self, state: float, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Take a step at the method's own rate."""
        optimisers.set_rate(optimiser, state * optimiser.param_groups[0]["lr"])
        train_step(self, nets, optimiser, state, batch)
