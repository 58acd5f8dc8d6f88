"""Representer points (arXiv:1811.09720)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.data_valuation_linear import Fitted

from ._linear import LinearAttribution, Rows


class RepresenterPoints(LinearAttribution):
    """Writes the logit of a query's label as a sum over training rows."""

    card: ClassVar = MethodCard(
        name="rps",
        title="Representer points",
        track="data-valuation",
        paper="arXiv:1811.09720",
        bibtex="""@inproceedings{yeh2018representer,
  title = {Representer Point Selection for Explaining Deep Neural Networks},
  author = {Yeh, Chih-Kuan and Kim, Joon Sik and Yen, Ian E. H. and Ravikumar, Pradeep},
  booktitle = {NeurIPS},
  year = {2018},
  eprint = {1811.09720},
  archivePrefix = {arXiv}
}""",
        claim="At a minimum with an L2 penalty an output is a weighted sum of the products of its "
        "features with those of the training rows.",
        deviates="Of a linear model on the inputs, which is its own last layer. The bias is "
        "penalised, without which the sum would not be the output.",
        signal="gradients",
        needs=("queries",),
        defaults_from="paper",
    )

    def attribute(self, model: Fitted, queries: Rows) -> torch.Tensor:
        """Weigh the product of inputs by minus the row's error at the query's label."""
        weight = -model.errors(model.x, model.y) / (model.lam * len(model.x))
        return (weight @ queries.y.T) * (model.x @ queries.x.T)
