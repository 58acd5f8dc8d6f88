"""Cutout (arXiv:1708.04552)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe, Seeds, streams
from bench.training.rows import beside

from ._pictures import black, checked, inside


class _State:
    """Each member's generator, and the centres of the epoch at hand by row (K, N, 2)."""

    def __init__(self, seeds: Seeds) -> None:
        self.seeds, self.draws, self.black = seeds, streams(seeds.runs, "centres"), black(seeds)


class Cutout(Recipe):
    """Blacken a square of every picture; its centre is any pixel, and what lies beyond the border
    is lost.
    """

    card: ClassVar = MethodCard(
        name="cutout",
        title="Cutout",
        track="recipes",
        paper="arXiv:1708.04552",
        bibtex="""@article{devries2017improved,
  title = {Improved Regularization of Convolutional Neural Networks with Cutout},
  author = {DeVries, Terrance and Taylor, Graham W.},
  year = {2017},
  eprint = {1708.04552},
  archivePrefix = {arXiv}
}""",
        claim="Pictures of which a part is missing teach a net to use all of the picture.",
        deviates="The side of the square was chosen by the authors for each dataset; here it is "
        "half of the picture's. Their sizes for CIFAR are recalled, not read.",
        signal="none; the corruption occlude is like it",
        inputs="pictures",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"share": (0.25, 0.375, 0.5)},
    )
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Side of the square, as a share of the picture's."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        checked(self, seeds)
        return _State(seeds)

    def draw(self, state: _State, epoch: int) -> None:
        """Draw the centre of every row's square."""
        n, sides = state.seeds.n_rows, state.seeds.problem.x.shape[-2:]
        drawn = np.stack([draw.integers(0, sides, (n, 2)) for draw in state.draws])
        state.centres = torch.from_numpy(drawn).to(state.seeds.device)

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return the pictures with their squares, (K, B, channels, H, W)."""
        height, width = batch.x.shape[-2:]
        half = torch.tensor(
            [round(self.share * height), round(self.share * width)], device=batch.x.device
        )
        low = beside(state.centres, batch.rows) - half // 2
        return torch.where(inside(batch.x, low, low + half), state.black, batch.x)
