"""TRAK: a linear model of the margin in its gradients (arXiv:2303.14186)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.data_valuation_linear import Fitted

from ._linear import LinearAttribution, Rows


class Trak(LinearAttribution):
    """Regresses the margin on its gradients; the answer to a query is attributed as that of a
    kernel regression.
    """

    card: ClassVar = MethodCard(
        name="trak",
        title="TRAK",
        track="data-valuation",
        paper="arXiv:2303.14186",
        bibtex="""@inproceedings{park2023trak,
  title = {TRAK: Attributing Model Behavior at Scale},
  author = {Park, Sung Min and Georgiev, Kristian and Ilyas, Andrew and Leclerc, Guillaume and
    Madry, Aleksander},
  booktitle = {ICML},
  year = {2023},
  eprint = {2303.14186},
  archivePrefix = {arXiv}
}""",
        claim="A handful of models is enough to predict what fits on subsets would answer, better "
        "than other attributions at equal cost.",
        deviates="One model, since the fit is convex and has one minimum. No projection: "
        "gradients are outer products, so that their kernel is exact. The kernel is regularised "
        "by the penalty of the model, which the authors' code leaves out by default. The model is "
        "fitted on all rows, where the paper averages over models of random parts of them, and "
        "scores are not soft-thresholded.",
        signal="gradients",
        needs=("queries",),
        defaults_from="here",
    )
    ridge: Annotated[float, Meta(ge=0, le=1e6)] = 1.0
    """Weight of the regulariser, in units of the penalty times the number of rows."""

    def attribute(self, model: Fitted, queries: Rows) -> torch.Tensor:
        """Return k_t (K + r I)^-1 times one minus the probability of each row's label."""
        own, others = model.pulls(model.x, model.y), model.pulls(queries.x, queries.y)
        kernel = (model.x @ model.x.T) * (own @ own.T)
        kernel.diagonal().add_(self.ridge * model.lam * len(model.x) + 1e-10)
        across = (model.x @ queries.x.T) * (own @ others.T)
        doubt = 1 - ((model.x @ model.weights).softmax(-1) * model.y).sum(1)
        solved: torch.Tensor = torch.linalg.solve(kernel, across)
        return solved * doubt[:, None]
