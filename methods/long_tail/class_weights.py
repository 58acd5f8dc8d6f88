"""Inverse class sizes as weights (doi:10.3233/IDA-2002-6504)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.long_tail import class_sizes
from bench.training.recipe import Batch, Recipe, Seeds

from ._weights import weighted_entropy


class ClassWeights(Recipe):
    """Weigh every row by one over the size of its class, and divide by the weights of the batch."""

    card: ClassVar = MethodCard(
        name="class-weights",
        title="Inverse class sizes as weights",
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
        claim="Costs in proportion to rarity repair much of what imbalance does.",
        signal="labels",
        stacked=True,
        defaults_from="paper",
    )

    def start(self, seeds: Seeds) -> torch.Tensor:
        """Return the weights of the classes (K, C)."""
        return 1 / class_sizes(seeds)

    def loss(self, state: torch.Tensor, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return sum_i w_i CE_i / sum_i w_i."""
        return weighted_entropy(logits, batch, state)
