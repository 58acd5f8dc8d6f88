"""Cosine of gradients (arXiv:2102.05262)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.data_valuation_linear import Fitted

from ._linear import LinearAttribution, Rows
from .grad_dot import CHARPIAT


class GradientCosine(LinearAttribution):
    """The cosine of the gradients of a row's loss and a query's margin."""

    card: ClassVar = MethodCard(
        name="grad-cos",
        title="Cosine of gradients",
        track="data-valuation",
        paper="arXiv:2102.05262",
        bibtex=CHARPIAT,
        claim="The cosine of two gradients says how alike a net holds two inputs.",
        deviates="Of the gradients of a row's loss and a query's margin, where the paper takes "
        "those of outputs.",
        signal="gradients",
        needs=("queries",),
        defaults_from="here",
    )

    def attribute(self, model: Fitted, queries: Rows) -> torch.Tensor:
        """The product of two cosines, since gradients are outer products."""
        pulls, errors = model.pulls(queries.x, queries.y), model.errors(model.x, model.y)
        inputs = F.normalize(model.x, dim=1) @ F.normalize(queries.x, dim=1).T
        return -inputs * (F.normalize(errors, dim=1) @ F.normalize(pulls, dim=1).T)
