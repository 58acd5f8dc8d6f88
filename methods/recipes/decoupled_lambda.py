"""mixup with a label weight of its own, stopped early (arXiv:2303.08433)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.mixing import Mixing, Mixtures
from bench.training.recipe import Batch, soft


class DecoupledLambda(Mixing):
    """Mix inputs by a random weight and targets by a fixed one; after a share of the epochs, train
    on the rows as they are.
    """

    card: ClassVar = MethodCard(
        name="decoupled-lambda",
        title="mixup with separate weights, stopped early",
        track="recipes",
        paper="arXiv:2303.08433",
        bibtex="""@inproceedings{zou2023benefits,
  title = {The Benefits of Mixup for Feature Learning},
  author = {Zou, Difan and Cao, Yuan and Li, Yuanzhi and Gu, Quanquan},
  booktitle = {ICML},
  year = {2023},
  eprint = {2303.08433},
  archivePrefix = {arXiv}
}""",
        claim="What mixup learns of rare features it learns early, whatever the weights of inputs "
        "and labels, so that it can be stopped halfway.",
        deviates="The abstract alone was read: the weight of the labels and the moment of the stop "
        "are chosen here.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"label_weight": (0.5, 0.7, 0.9), "stop": (0.25, 0.5, 0.75, 1.0)},
    )
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Both parameters of the Beta distribution of the weight of the inputs."""
    label_weight: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Weight of the row's own label in each mixture."""
    stop: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the epochs in which rows are mixed."""

    @property
    def concentration(self) -> float:
        """Return alpha."""
        return self.alpha

    def mixes(self, state: Mixtures, batch: Batch) -> bool:
        """Say whether the epoch mixes."""
        return batch.epoch < self.stop * state.seeds.problem.epochs

    def inputs(self, state: Mixtures, batch: Batch) -> torch.Tensor:
        """Return mixtures of rows, or the rows."""
        return state.mixed(batch, batch.x) if self.mixes(state, batch) else batch.x

    def targets(self, state: Mixtures, batch: Batch) -> torch.Tensor:
        """Return mixtures of labels by the fixed weight, or the labels."""
        if not self.mixes(state, batch):
            return batch.y
        y = soft(state.seeds, batch.y)
        return self.label_weight * y + (1 - self.label_weight) * state.others(batch, y)
