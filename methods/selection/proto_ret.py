"""Typical rows are those that nets hold on to when they train on without them
(arXiv:1910.13427).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, trained
from bench.training.convnet import Net, Params
from bench.training.fitting import outputs

from ._prototypes import BIBTEX, CLAIM, PAPER, TUNING


class Retraining(Selector):
    """Keep the rows on which nets change most: trained on one half of the rows, then on the other,
    and the halves exchanged.
    """

    card: ClassVar = MethodCard(
        name="proto-ret",
        title="Prototypes by training on without them",
        track="selection",
        paper=PAPER,
        bibtex=BIBTEX,
        claim=CLAIM,
        deviates="Only the abstract was read: rows are halved at random, each training takes the "
        "task's epochs on its half, and the distance is the symmetric divergence of the "
        "probabilities of a row before and after.",
        signal="dynamics",
        defaults_from="here",
        tuning=TUNING,
    )
    nets: Annotated[int, Meta(ge=1)] = 5
    """Nets whose changes are averaged."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the least typical rows, the most typical ones, or those between."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return how much nets change on each row, in the chosen order."""
        n = len(problem.y)
        order = torch.randperm(n, generator=run.torch_generator("method", "half", device="cpu"))
        halves, found = order.split((n + 1) // 2), torch.zeros(n, device=problem.x.device)
        for place, (own, other) in enumerate((halves, halves[::-1])):
            net, before = self._trained(problem, run, f"first {place}", own, None)
            after = self._trained(problem, run, f"second {place}", other, before)[1]
            own = own.to(problem.x.device)
            run.count(forward=2 * self.nets * len(own))
            found[own] = change(*(outputs(net, part, problem.x[own]) for part in (before, after)))
        return preferred(found, self.order, 0.0)

    def _trained(
        self,
        problem: Selectable,
        run: Run,
        role: str,
        rows: torch.Tensor,
        start: Params | None,
    ) -> tuple[Net, Params]:
        return trained(
            problem, run, role, nets=self.nets, epochs=problem.epochs, rows=rows, start=start
        )


def change(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Return the mean over nets of KL(p || q) + KL(q || p) of logits (K, N, C), (N,)."""
    p, q = before.log_softmax(-1), after.log_softmax(-1)
    return ((p.exp() - q.exp()) * (p - q)).sum(-1).mean(0)
