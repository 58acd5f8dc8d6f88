"""Influence functions with the exact Hessian (arXiv:1703.04730)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.data_valuation_linear import Fitted

from ._linear import LinearAttribution, Rows, products, pulled
from .influence import BIBTEX


class ExactInfluence(LinearAttribution):
    """What leaving a row out does to a query's margin, to first order."""

    card: ClassVar = MethodCard(
        name="if-exact",
        title="Influence functions, exact Hessian",
        track="data-valuation",
        paper="arXiv:1703.04730",
        bibtex=BIBTEX,
        claim="Influence functions agree with leaving a row out and fitting anew.",
        deviates="Of the margin of the label instead of its loss.",
        signal="gradients",
        needs=("queries",),
        defaults_from="here",
    )

    def attribute(self, model: Fitted, queries: Rows) -> torch.Tensor:
        """Solve once for all queries."""
        pull = pulled(model, queries)
        factor = torch.linalg.cholesky(model.hessian())
        moved = torch.cholesky_solve(pull.flatten(1).T, factor).T
        return -products(model, moved.reshape(pull.shape)) / len(model.x)
