"""Typical rows are those of which several nets are confident (arXiv:1910.13427)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, trained
from bench.training.fitting import outputs

from ._prototypes import BIBTEX, CLAIM, PAPER, TUNING


class Confidence(Selector):
    """Keep the rows with the lowest highest probability, in the mean over nets."""

    card: ClassVar = MethodCard(
        name="proto-conf",
        title="Prototypes by confidence",
        track="selection",
        paper=PAPER,
        bibtex=BIBTEX,
        claim=CLAIM,
        deviates="Only the abstract was read: the highest probability of the final nets.",
        signal="dynamics",
        defaults_from="here",
        tuning=TUNING,
    )
    nets: Annotated[int, Meta(ge=1)] = 5
    """Nets whose scores are averaged."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the least typical rows, the most typical ones, or those between."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return minus the mean confidence of each row, in the chosen order."""
        net, params = trained(problem, run, "scores", nets=self.nets, epochs=problem.epochs)
        run.count(forward=self.nets * len(problem.y))
        confidence = outputs(net, params, problem.x).softmax(-1).amax(-1).mean(0)
        return preferred(-confidence, self.order, 0.0)
