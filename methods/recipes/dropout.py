"""Dropout (arXiv:1207.0580)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe, Seeds
from bench.training.rows import beside
from bench.training.stack import StackedNet
from bench.training.stages import last_layer


class _State:
    """Each member's generator, and the masks of the epoch at hand by row."""

    def __init__(self, seeds: Seeds, width: int) -> None:
        self.seeds, self.width = seeds, width
        self.draws = [run.torch_generator("method", "masks", device="cpu") for run in seeds.runs]

    def masks(self, size: int, rate: float) -> torch.Tensor:
        """Draw what is kept of ``size`` units for every row (K, N, size), divided by its chance."""
        kept = torch.stack(
            [torch.rand(self.seeds.n_rows, size, generator=draw) >= rate for draw in self.draws]
        )
        return kept.to(self.seeds.device).float() / (1 - rate)


class Dropout(Recipe):
    """Leave out each hidden unit with probability 1/2 and each input with 1/5, anew for every row
    and epoch; the net that is handed over has all of them.
    """

    card: ClassVar = MethodCard(
        name="dropout",
        title="Dropout",
        track=("recipes", "long-tail", "regression"),
        paper="arXiv:1207.0580",
        bibtex="""@article{hinton2012improving,
  title = {Improving Neural Networks by Preventing Co-Adaptation of Feature Detectors},
  author = {Hinton, Geoffrey E. and Srivastava, Nitish and Krizhevsky, Alex and Sutskever, Ilya and
    Salakhutdinov, Ruslan R.},
  year = {2012},
  eprint = {1207.0580},
  archivePrefix = {arXiv}
}""",
        claim="Units that cannot rely on others generalise better from few rows.",
        deviates="Units are left out in the last hidden layer alone, and kept ones are divided by "
        "their chance in training, instead of halved weights at test. The share of the inputs is "
        "recalled, not read. Norms of weights have no bound.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"rate": (0.2, 0.5, 0.7), "inputs_rate": (0.0, 0.2)},
    )
    rate: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    """Chance that a unit of the last hidden layer is left out."""
    inputs_rate: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Chance that an input is set to 0, the mean of the standardised inputs."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds, last_layer(seeds.nets).shape[-1])

    def draw(self, state: _State, epoch: int) -> None:
        """Draw the masks of every row."""
        size = state.seeds.problem.x[0].numel()
        state.of_inputs = state.masks(size, self.inputs_rate)
        state.of_units = state.masks(state.width, self.rate)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of thinned nets (K, B, C)."""
        x = batch.x * beside(state.of_inputs, batch.rows).view_as(batch.x)
        return nets.head(nets.features(x) * beside(state.of_units, batch.rows))
