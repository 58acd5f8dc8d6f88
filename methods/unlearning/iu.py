"""Influence unlearning: one Newton step away from the rows to forget
(arXiv:1703.04730, as in arXiv:2304.04934).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod

from .l_codec import gradient, shifted

OFFICIAL_N = 1000
"""N of the Unlearn-Sparse repository."""
_COPIED = 1 << 20
"""Weights of the copies that single gradients are taken of at once: as many as a cache holds."""


class InfluenceUnlearning(UnlearningMethod):
    """Move by alpha H^-1 v, where H is the curvature of the loss on R and
    v = sum_S g / N - (|S| / N) mean_R g.
    """

    card: ClassVar = MethodCard(
        name="iu",
        title="Influence unlearning",
        track=("unlearning-privacy", "unlearning-correction", "unlearning-regression"),
        paper="arXiv:1703.04730",
        bibtex="""@inproceedings{koh2017understanding,
  title = {Understanding Black-box Predictions via Influence Functions},
  author = {Koh, Pang Wei and Liang, Percy},
  booktitle = {ICML},
  year = {2017},
  eprint = {1703.04730},
  archivePrefix = {arXiv}
}""",
        official_code="flawed",
        deviates=(
            "The curvature is the damped Gauss-Newton matrix of some rows that stay, inverted by "
            "conjugate gradients. The Unlearn-Sparse repository's recursion "
            "over single gradients only ever moves along the first of them: 'compat' does the "
            "same, over the first rows that stay and with the official N of 1,000 however many "
            "there are."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"alpha": (0.3, 1.0, 3.0), "damping": (0.001, 0.01, 0.1)},
    )
    settings: ClassVar = {"official": {"compat": True, "rows": 1002}}
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Length of the step; 1 is Newton's."""
    rows: Annotated[int, Meta(ge=1)] = 500
    """Rows of R that the curvature is taken on, at most."""
    damping: Annotated[float, Meta(gt=0)] = 0.01
    """Added to the diagonal of the curvature."""
    iterations: Annotated[int, Meta(ge=1)] = 10
    """Of conjugate gradients."""
    compat: bool = False
    """Invert as the Unlearn-Sparse repository does, over single gradients of
    the first 'rows' rows of R.
    """

    def unlearn(self, group: Group) -> Nets:
        """Take the step."""
        nets = group.originals().eval()
        share = group.forget.shape[1] / group.everything.shape[1]
        v = share * (gradient(group, nets, group.forget) - gradient(group, nets, group.retain))
        if self.compat:
            first = group.retain[:, : self.rows]
            return shifted(nets, self.alpha * recursion(v, singly(group, nets, first)))
        orders = [
            torch.randperm(group.retain.shape[1], generator=generator)[: self.rows]
            for generator in group.generators("method", "rows")
        ]
        rows = group.retain.gather(1, torch.stack(orders).to(group.device))
        step = solved(
            lambda direction: curved(group, nets, rows, direction) + self.damping * direction,
            v,
            self.iterations,
        )
        return shifted(nets, self.alpha * step)


def curved(group: Group, nets: Nets, rows: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """Return the Gauss-Newton matrix of the mean loss of ``rows`` (M, n)
    times ``direction`` (M, P).
    """
    parameters = list(nets.parameters())
    parts = direction.split([parameter[0].numel() for parameter in parameters], 1)
    parts = [part.view_as(parameter) for part, parameter in zip(parts, parameters, strict=True)]
    total = torch.zeros_like(direction)
    for batch in group.in_parts(rows):
        outputs = nets(batch.x)
        weight = torch.zeros_like(outputs, requires_grad=True)
        # J^T w is linear in w, so its derivative in w along the direction is J times the direction.
        back = torch.autograd.grad(outputs, parameters, weight, create_graph=True)
        (change,) = torch.autograd.grad(back, weight, parts, retain_graph=True)
        if group.problem.n_classes:
            p = outputs.detach().softmax(-1)
            change = p * (change - (p * change).sum(-1, keepdim=True))
        else:
            change = 2 * change
        found = torch.autograd.grad(outputs, parameters, change)
        total += torch.cat([part.flatten(1) for part in found], 1) / rows.shape[1]
    group.count(forward=rows.shape[1], backward=3 * rows.shape[1])
    return total


def singly(group: Group, nets: Nets, rows: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the gradient of the loss of every one of ``rows`` (M, n) by itself, (M, P): of several
    rows at once, each before a copy of its net.
    """
    numbers, copies = sum(parameter.numel() for parameter in nets.parameters()), nets
    for part in rows.split(max(1, _COPIED // numbers), 1):
        count = part.shape[1]
        if copies.members != count * nets.members:
            copies = group.repeated(nets, count)
        batch = group.batch(part)
        losses = group.loss(copies(batch.x.flatten(0, 1)[:, None]), batch.y.view(-1, 1))
        found = torch.autograd.grad(losses.sum(), list(copies.parameters()))
        group.count(forward=count, backward=count)
        every = torch.cat([part.flatten(1) for part in found], 1)
        yield from every.unflatten(0, (-1, count)).unbind(1)


def solved(
    times: Callable[[torch.Tensor], torch.Tensor], v: torch.Tensor, iterations: int
) -> torch.Tensor:
    """Return x of A x = v (M, P) by conjugate gradients, for a product ``times`` with positive A, a
    member by itself; a member that is done stays.
    """
    x, left = torch.zeros_like(v), v.clone()
    along, size = left.clone(), left.square().sum(1, keepdim=True)
    for _ in range(iterations):
        bent = times(along)
        step = size / (along * bent).sum(1, keepdim=True).clamp_min(1e-30)
        x, left = x + step * along, left - step * bent
        smaller = left.square().sum(1, keepdim=True)
        along, size = left + smaller / size.clamp_min(1e-30) * along, smaller
    return x


def recursion(
    v: torch.Tensor, gradients: Iterable[torch.Tensor], n: int = OFFICIAL_N
) -> torch.Tensor:
    """Return the recursion of the Unlearn-Sparse repository for v (M, P) over single gradients (M,
    P), which starts from the first of them and updates with the others; ``n`` is its N.
    """
    rest = iter(gradients)
    first, found = next(rest), v
    for g in rest:
        t = (first * g).sum(1, keepdim=True)
        found = found - (found * g).sum(1, keepdim=True) / (n + t) * first
        first = first - t / (n + t) * first
    return found
