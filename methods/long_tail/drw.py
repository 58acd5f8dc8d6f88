"""Deferred re-weighting (arXiv:1906.07413)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.long_tail import class_sizes
from bench.training.recipe import Batch, Recipe, Seeds

from ._weights import effective, weighted_entropy


class Drw(Recipe):
    """Train with equal weights first, and with class-balanced ones in the last fifth."""

    card: ClassVar = MethodCard(
        name="drw",
        title="Deferred re-weighting",
        track="long-tail",
        paper="arXiv:1906.07413",
        bibtex="""@inproceedings{cao2019learning,
  title = {Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss},
  author = {Cao, Kaidi and Wei, Colin and Gaidon, Adrien and Arechiga, Nikos and Ma, Tengyu},
  booktitle = {NeurIPS},
  year = {2019},
  eprint = {1906.07413},
  archivePrefix = {arXiv}
}""",
        claim="Weights from the start spoil the features; once these are learned, weights help.",
        official_code="flawed",
        deviates="The switch is at a share of the epochs; the public code has it at epoch 160 "
        "whatever their number.",
        signal="labels",
        stacked=True,
        defaults_from="paper",
        tuning={"after": (0.5, 0.8, 0.9)},
    )
    after: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """Share of the epochs with equal weights."""
    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.9999
    """Of the effective number of rows."""

    def start(self, seeds: Seeds) -> tuple[Seeds, torch.Tensor]:
        """Return the weights of the classes (K, C)."""
        return seeds, effective(class_sizes(seeds), self.beta)

    def loss(
        self, state: tuple[Seeds, torch.Tensor], batch: Batch, logits: torch.Tensor
    ) -> torch.Tensor:
        """Return the cross entropy, weighted or not."""
        seeds, weights = state
        if batch.epoch < int(self.after * seeds.problem.epochs):
            return super().loss(state, batch, logits)
        return weighted_entropy(logits, batch, weights)
