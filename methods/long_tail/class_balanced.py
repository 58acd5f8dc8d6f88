"""The class-balanced loss (arXiv:1901.05555)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.long_tail import class_sizes
from bench.training.recipe import Batch, Recipe, Seeds, cross_entropy

from ._weights import effective, of_rows


class ClassBalanced(Recipe):
    """Weigh every row by one over the effective number of rows of its class."""

    card: ClassVar = MethodCard(
        name="class-balanced",
        title="Class-balanced loss",
        track="long-tail",
        paper="arXiv:1901.05555",
        bibtex="""@inproceedings{cui2019class,
  title = {Class-Balanced Loss Based on Effective Number of Samples},
  author = {Cui, Yin and Jia, Menglin and Lin, Tsung-Yi and Song, Yang and Belongie, Serge},
  booktitle = {CVPR},
  year = {2019},
  eprint = {1901.05555},
  archivePrefix = {arXiv}
}""",
        claim="Rows of a large class repeat each other; their effective number weighs better than "
        "their number.",
        official_code="ok",
        deviates="beta is 1 - 1/N by default, which the paper has as an alternative; the authors' "
        ".9999 equals inverse sizes for so few rows.",
        signal="labels",
        stacked=True,
        defaults_from="here",
        trials=5,
        tuning={"beta": (0.0, 0.9, 0.99, 0.999, 0.9999)},
    )
    settings: ClassVar = {"cifar": {"beta": 0.9999}}
    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """How far rows of a class differ; 0: 1 - 1/N."""

    def start(self, seeds: Seeds) -> torch.Tensor:
        """Return the weights of the classes (K, C)."""
        return effective(class_sizes(seeds), self.beta or 1 - 1 / seeds.n_rows)

    def loss(self, state: torch.Tensor, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return w_y CE, whose weights sum to C over the classes."""
        return of_rows(state, batch) * cross_entropy(logits, batch.y)
