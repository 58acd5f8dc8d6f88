"""Manifold mixup (arXiv:1806.05236)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.training.mixing import Mixing, Mixtures
from bench.training.recipe import Batch, Seeds, streams
from bench.training.stack import StackedNet
from bench.training.stages import stages


class _State(Mixtures):
    """Mixtures, and the stage of every step of the epoch at hand (K, steps)."""

    def __init__(self, seeds: Seeds) -> None:
        super().__init__(seeds)
        self.places = streams(seeds.runs, "stages")


class ManifoldMixup(Mixing):
    """Mix what the net knows of two rows at a stage drawn anew for each batch, the inputs or a
    hidden layer, and their targets.
    """

    card: ClassVar = MethodCard(
        name="manifold-mixup",
        title="Manifold mixup",
        track=("recipes", "long-tail", "regression"),
        paper="arXiv:1806.05236",
        bibtex="""@inproceedings{verma2019manifold,
  title = {Manifold Mixup: Better Representations by Interpolating Hidden States},
  author = {Verma, Vikas and Lamb, Alex and Beckham, Christopher and Najafi, Amir and Mitliagkas,
    Ioannis and Lopez-Paz, David and Bengio, Yoshua},
  booktitle = {ICML},
  year = {2019},
  eprint = {1806.05236},
  archivePrefix = {arXiv}
}""",
        claim="Mixtures of hidden states flatten the representations of classes, and generalise "
        "better than mixtures of inputs.",
        deviates="Of a convolutional net the features before the last layer are the only hidden "
        "stage.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"alpha": (0.5, 1.0, 2.0, 4.0)},
    )
    alpha: Annotated[float, Meta(ge=0)] = 2.0
    """Both parameters of the Beta distribution of the weight."""
    deepest: Annotated[int, Meta(ge=0)] = 10
    """The last stage that may be drawn, 0: the inputs alone; at most the last hidden one."""

    @property
    def concentration(self) -> float:
        """Return alpha."""
        return self.alpha

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds)

    def draw(self, state: _State, epoch: int) -> None:
        """Draw weights, partners and stages."""
        state.draw(self.alpha)
        last = min(self.deepest, len(stages(state.seeds.nets)) - 1)
        drawn = np.stack([own.integers(0, last + 1, state.seeds.steps) for own in state.places])
        state.stage = torch.from_numpy(drawn).to(state.seeds.device)
        state.last = last

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits (K, B, C) of rows that were mixed at their member's stage."""
        found, chosen = batch.x, state.stage[:, batch.step]
        for number, stage in enumerate(stages(nets)):
            if number <= state.last:
                mine = (chosen == number).view(-1, *[1] * (found.dim() - 1))
                found = torch.where(mine, state.mixed(batch, found), found)
            found = stage(found)
        return found
