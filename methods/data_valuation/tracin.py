"""TracIn: gradients at checkpoints of the training (arXiv:2002.08484)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.data_valuation_linear import Fitted

from ._linear import LinearAttribution, Rows


class TracIn(LinearAttribution):
    """Adds up products of gradients along a training from zero weights."""

    card: ClassVar = MethodCard(
        name="tracin",
        title="TracIn (checkpoints)",
        track="data-valuation",
        paper="arXiv:2002.08484",
        bibtex="""@inproceedings{pruthi2020estimating,
  title = {Estimating Training Data Influence by Tracing Gradient Descent},
  author = {Pruthi, Garima and Liu, Frederick and Kale, Satyen and Sundararajan, Mukund},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2002.08484},
  archivePrefix = {arXiv}
}""",
        claim="A few checkpoints of the training are enough to trace what a row did to a test "
        "loss.",
        deviates="Of the margin of the label instead of its loss. The training is plain gradient "
        "descent on all rows, whose steps have one length.",
        signal="gradients",
        needs=("queries",),
        defaults_from="here",
    )
    checkpoints: Annotated[int, Meta(ge=1)] = 5
    """Moments at which gradients are taken, evenly spaced."""
    steps: Annotated[int, Meta(ge=1)] = 100
    """Steps of the training."""

    def attribute(self, model: Fitted, queries: Rows) -> torch.Tensor:
        """Train, and add up at every checkpoint."""
        if self.checkpoints > self.steps:
            raise InvalidRun(
                f"checkpoints is {self.checkpoints}, and the training has {self.steps} steps; take "
                "at most one checkpoint a step"
            )
        widest = 0.5 * torch.linalg.eigvalsh(model.x.T @ model.x)[-1] / len(model.x)
        rate = 1 / (widest + model.lam)
        weights = torch.zeros_like(model.weights)
        wanted = {-(-self.steps * k // self.checkpoints) for k in range(1, self.checkpoints + 1)}
        found = torch.zeros(
            len(model.x), len(queries.x), dtype=weights.dtype, device=weights.device
        )
        alike = model.x @ queries.x.T
        for step in range(1, self.steps + 1):
            now = model._replace(weights=weights)
            errors = now.errors(model.x, model.y)
            weights = weights - rate * (model.x.T @ errors / len(errors) + model.lam * weights)
            if step in wanted:
                now = model._replace(weights=weights)
                errors, pulls = now.errors(model.x, model.y), now.pulls(queries.x, queries.y)
                found -= rate * alike * (errors @ pulls.T)
        return found
