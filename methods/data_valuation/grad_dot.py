"""Products of gradients, without a Hessian (arXiv:2102.05262)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.data_valuation_linear import Fitted

from ._linear import LinearAttribution, Rows

CHARPIAT = """@inproceedings{charpiat2019input,
  title = {Input Similarity from the Neural Network Perspective},
  author = {Charpiat, Guillaume and Girard, Nicolas and Felardos, Loris and Tarabalka, Yuliya},
  booktitle = {NeurIPS},
  year = {2019},
  eprint = {2102.05262},
  archivePrefix = {arXiv}
}"""


class GradientProduct(LinearAttribution):
    """How far a step on a row raises a query's margin."""

    card: ClassVar = MethodCard(
        name="grad-dot",
        title="Product of gradients",
        track="data-valuation",
        paper="arXiv:2102.05262",
        bibtex=CHARPIAT,
        deviates="Of the gradients of a row's loss and a query's margin. Some packages call this "
        "an influence function; no Hessian is in it.",
        signal="gradients",
        needs=("queries",),
        plain=True,
        defaults_from="here",
    )

    def attribute(self, model: Fitted, queries: Rows) -> torch.Tensor:
        """Gradients are outer products, so that their product is one of inputs times one of
        errors.
        """
        pulls, errors = model.pulls(queries.x, queries.y), model.errors(model.x, model.y)
        return -(model.x @ queries.x.T) * (errors @ pulls.T)
