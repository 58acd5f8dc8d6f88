"""Typical rows are those on which several nets agree (arXiv:1910.13427)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, trained
from bench.training.fitting import outputs

from ._prototypes import BIBTEX, CLAIM, PAPER, TUNING


class Agreement(Selector):
    """Keep the rows of which nets say different things: the mean divergence from their mean."""

    card: ClassVar = MethodCard(
        name="proto-agr",
        title="Prototypes by agreement of nets",
        track="selection",
        paper=PAPER,
        bibtex=BIBTEX,
        claim=CLAIM,
        deviates="Only the abstract was read: the mean over nets of the divergence of their "
        "probabilities from the mean probabilities.",
        signal="dynamics",
        defaults_from="here",
        tuning=TUNING,
    )
    nets: Annotated[int, Meta(ge=2)] = 5
    """Nets that are compared."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the least typical rows, the most typical ones, or those between."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return the disagreement of nets on each row, in the chosen order."""
        net, params = trained(problem, run, "scores", nets=self.nets, epochs=problem.epochs)
        run.count(forward=self.nets * len(problem.y))
        return preferred(disagreement(outputs(net, params, problem.x)), self.order, 0.0)


def disagreement(logits: torch.Tensor) -> torch.Tensor:
    """Return mean_k KL(p_k || mean p) of logits (K, N, C), (N,)."""
    logs = logits.log_softmax(-1)
    mean = logs.exp().mean(0).clamp_min(torch.finfo(logs.dtype).tiny).log()
    return (logs.exp() * (logs - mean)).sum(-1).mean(0)
