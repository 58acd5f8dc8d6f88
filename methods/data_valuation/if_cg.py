"""Influence functions by conjugate gradients (arXiv:1703.04730)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.data_valuation_linear import Fitted

from ._linear import LinearAttribution, Rows, products, pulled
from .influence import BIBTEX


class ConjugateGradients(LinearAttribution):
    """Influence functions from a few products with the Hessian, which is never built."""

    card: ClassVar = MethodCard(
        name="if-cg",
        title="Influence functions, conjugate gradients",
        track="data-valuation",
        paper="arXiv:1703.04730",
        bibtex=BIBTEX,
        claim="A few products with the Hessian are enough to invert it.",
        deviates="Of the margin of the label instead of its loss. A fixed number of steps, for all "
        "queries together.",
        signal="gradients",
        needs=("queries",),
        defaults_from="here",
    )
    steps: Annotated[int, Meta(ge=1)] = 10
    """Products with the Hessian a query."""
    damping: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    """Added to the diagonal of the Hessian."""

    def attribute(self, model: Fitted, queries: Rows) -> torch.Tensor:
        """Solve for all queries together, each with steps of its own length."""
        pull = pulled(model, queries)

        def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return (a * b).sum((1, 2), keepdim=True)

        found, rest, ahead = torch.zeros_like(pull), pull.clone(), pull.clone()
        square = dot(rest, rest)
        for _ in range(self.steps):
            curved = model.product(ahead) + self.damping * ahead
            length = square / dot(ahead, curved).clamp_min(1e-300)
            found = found + length * ahead
            rest = rest - length * curved
            last, square = square, dot(rest, rest)
            ahead = rest + square / last.clamp_min(1e-300) * ahead
        return -products(model, found) / len(model.x)
