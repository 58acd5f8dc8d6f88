"""Trimmed losses (arXiv:1810.11874)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.poisoning import Batch, PoisoningMethod, cross_entropy


class Trim(PoisoningMethod):
    """Leave out of every batch the rows with the largest losses."""

    card: ClassVar = MethodCard(
        name="trim",
        title="Trimmed losses",
        track="poisoning",
        paper="arXiv:1810.11874",
        bibtex="""@inproceedings{shen2019learning,
  title = {Learning with Bad Training Data via Iterative Trimmed Loss Minimization},
  author = {Shen, Yanyao and Sanghavi, Sujay},
  booktitle = {ICML},
  year = {2019},
  eprint = {1810.11874},
  archivePrefix = {arXiv}
}""",
        claim="Early in training, rows with small losses are mostly clean; training only on "
        "them restores the accuracy.",
        deviates="Rows are chosen anew in every batch; the paper trains from the start on the rows "
        "with the smallest losses of all, several times.",
        signal="loss",
        stacked=True,
        defaults_from="here",
        tuning={"share": (0.0, 0.1, 0.25, 0.5)},
    )
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.25
    """Share of a batch that is left out, rounded down."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return losses (K, B) whose mean is that of the rows that stay."""
        losses = cross_entropy(logits, batch.y)
        size = losses.shape[-1]
        kept = size - int(self.share * size)
        rows = losses.detach().argsort(dim=-1, stable=True)[:, :kept]
        return losses * torch.zeros_like(losses).scatter(-1, rows, size / kept)
