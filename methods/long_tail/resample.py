"""Oversampling of rare classes (doi:10.3233/IDA-2002-6504)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import MethodCard
from bench.tracks.long_tail import class_sizes
from bench.training.recipe import Recipe, Seeds, streams


class _State:
    """Each member's generator, and the chance of every row (K, N)."""

    def __init__(self, seeds: Seeds) -> None:
        self.draws = streams(seeds.runs, "rows")
        weights = (1 / class_sizes(seeds)).gather(1, seeds.y).double().cpu().numpy()
        self.chances = weights / weights.sum(1, keepdims=True)


class Resample(Recipe):
    """Draw the rows of an epoch with replacement, each class as often as another."""

    card: ClassVar = MethodCard(
        name="resample",
        title="Oversampling of rare classes",
        track="long-tail",
        paper="doi:10.3233/IDA-2002-6504",
        bibtex="""@article{japkowicz2002class,
  title = {The Class Imbalance Problem: A Systematic Study},
  author = {Japkowicz, Nathalie and Stephen, Shaju},
  journal = {Intelligent Data Analysis},
  volume = {6},
  number = {5},
  year = {2002}
}""",
        claim="Rows of rare classes, drawn again and again, repair much of what imbalance does.",
        signal="labels",
        stacked=True,
        defaults_from="paper",
    )

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds)

    def rows(self, state: _State, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Return as many rows as the epoch has (K, N)."""
        n = orders.shape[1]
        drawn = [
            draw.choice(len(chance), n, p=chance)
            for draw, chance in zip(state.draws, state.chances, strict=True)
        ]
        return torch.from_numpy(np.stack(drawn)).to(orders.device)
