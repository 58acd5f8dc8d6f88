"""Typical rows are those far from a net's boundary (arXiv:1910.13427)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, trained
from bench.training.convnet import Net, Params

from ._prototypes import BIBTEX, CLAIM, PAPER, TUNING

ROWS = 512
"""Rows whose gradients are held at a time."""


class BoundaryDistance(Selector):
    """Keep the rows that the smallest change moves over a net's boundary."""

    card: ClassVar = MethodCard(
        name="proto-adv",
        title="Prototypes by distance from the boundary",
        track="selection",
        paper=PAPER,
        bibtex=BIBTEX,
        claim=CLAIM,
        deviates="Only the abstract was read: the distance is that of DeepFool (arXiv:1511.04599), "
        "in the mean over nets.",
        signal="dynamics",
        defaults_from="here",
        tuning=TUNING,
    )
    nets: Annotated[int, Meta(ge=1)] = 5
    """Nets whose distances are averaged."""
    steps: Annotated[int, Meta(ge=1)] = 10
    """Steps towards the boundary."""
    overshoot: Annotated[float, Meta(ge=1)] = 1.02
    """Factor of the whole change."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the least typical rows, the most typical ones, or those between."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return minus the mean distance of each row, in the chosen order."""
        net, params = trained(problem, run, "scores", nets=self.nets, epochs=problem.epochs)
        visits = self.nets * self.steps * len(problem.y)
        run.count(forward=visits, backward=visits * problem.n_classes)
        found = [
            distances(net, params, part, self.steps, self.overshoot).mean(0)
            for part in problem.x.split(ROWS)
        ]
        return preferred(-torch.cat(found), self.order, 0.0)


def distances(
    net: Net, params: Params, x: torch.Tensor, steps: int, overshoot: float
) -> torch.Tensor:
    """Return the length of the change that DeepFool finds for rows (n, ...) of each net, (K, n).

    A step goes to the nearest boundary of the logits made linear (arXiv:1511.04599, alg. 2); a row
    that is over it stops.
    """
    start = x.expand(len(params[0]), *x.shape)
    moved = torch.zeros_like(start)
    with torch.no_grad():
        own = net.logits(params, start).argmax(-1, keepdim=True)
    for _ in range(steps):
        at = (start + overshoot * moved).requires_grad_()
        logits = net.logits(params, at)
        classes = logits.shape[-1]
        basis = torch.eye(classes, device=x.device)[:, None, None].expand(-1, *logits.shape)
        (slopes,) = torch.autograd.grad(logits, at, basis, is_grads_batched=True)
        slopes, logits = slopes.flatten(3).movedim(0, 2), logits.detach()
        inside = logits.argmax(-1, keepdim=True) == own
        gaps = logits - logits.gather(2, own)
        place = own[..., None].expand(-1, -1, 1, slopes.shape[-1])
        slopes = slopes - slopes.gather(2, place)
        lengths = slopes.norm(dim=-1).clamp_min(1e-12)
        near = (gaps.abs() / lengths).scatter(2, own, torch.inf).argmin(-1, keepdim=True)
        size = gaps.gather(2, near).abs() / lengths.gather(2, near).square()
        way = slopes.gather(2, near[..., None].expand(-1, -1, 1, slopes.shape[-1]))[:, :, 0]
        moved = moved + (inside * size * way).view(moved.shape)
    return overshoot * moved.flatten(2).norm(dim=-1)
