"""Batches of rows whose labels together say most about the dropout mask (arXiv:1906.08158)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, View, entropy

from ._dropout import disagreement

_LARGEST = 10
"""Rows of a batch that are chosen together."""
_BLOCK = 64
"""Rows whose joint information is computed at once."""


class BatchBald(ActiveMethod):
    """Add, again and again, the row that most raises the joint information of the batch."""

    card: ClassVar = MethodCard(
        name="batch-bald",
        title="Joint disagreement of a batch (BatchBALD)",
        track="active-learning",
        paper="arXiv:1906.08158",
        bibtex="""@inproceedings{kirsch2019batchbald,
  title = {{BatchBALD}: Efficient and Diverse Batch Acquisition for Deep Bayesian Active Learning},
  author = {Kirsch, Andreas and van Amersfoort, Joost and Gal, Yarin},
  booktitle = {NeurIPS},
  year = {2019},
  eprint = {1906.08158},
  archivePrefix = {arXiv}
}""",
        claim="Rows chosen together repeat each other less than the best rows alone.",
        deviates="Dropout as in bald. At most ten rows are chosen together, since 16 masks "
        "carry no more than log 16 nats; of a larger batch the next ten follow, without "
        "retraining in between.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    masks: Annotated[int, Meta(ge=2)] = 16
    """Dropout masks."""
    configurations: Annotated[int, Meta(ge=100)] = 40000
    """Joint labels of a batch that are looked at, together with those of one more row; more are
    sampled.
    """

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return open rows (count,) by algorithm 1."""
        p, drawn = view.dropped(self.masks), view.generator("configurations")
        chosen: list[int] = []
        while len(chosen) < view.count:
            size = min(_LARGEST, view.count - len(chosen))
            chosen += _together(p, size, chosen, self.configurations // p.shape[2], drawn)
        return view.open[torch.tensor(chosen, device=view.open.device)]


def _together(
    p: torch.Tensor, size: int, taken: list[int], most: int, drawn: torch.Generator
) -> list[int]:
    """Return ``size`` places of probabilities (masks, m, C), none of those taken."""
    joint = p.new_ones(len(p), 1)  # p(labels of the batch | mask), a column each
    weight = p.new_ones(1)  # of a sampled configuration
    chosen: list[int] = []
    # what a row adds never grows with the batch, since labels are independent given the mask
    bound = disagreement(p)
    bound[taken] = -torch.inf
    for _ in range(size):
        place = _best(p, joint, weight, bound) if chosen else int(bound.argmax())
        chosen.append(place)
        bound[place] = -torch.inf
        joint = (joint[:, :, None] * p[:, None, place]).flatten(1)
        weight = weight.repeat_interleave(p.shape[2])
        if joint.shape[1] > most:
            joint, weight = _sampled(joint, weight, most, drawn)
    return chosen


def _best(p: torch.Tensor, joint: torch.Tensor, weight: torch.Tensor, bound: torch.Tensor) -> int:
    """Return the place that adds most to the batch, and write what rows add into their bounds (m,);
    rows are looked at in the order of these, until no bound is above what was found.
    """
    alone, own = entropy(p).mean(0), joint.mean(0)
    before = -(weight * torch.special.xlogy(own, own)).sum()
    seen = torch.zeros_like(bound, dtype=torch.bool)
    best = -torch.inf
    while True:
        left = bound.masked_fill(seen, -torch.inf)
        some = left.topk(min(_BLOCK, len(left)))
        if float(some.values[0]) <= best:
            return int(bound.masked_fill(~seen, -torch.inf).argmax())
        rows = some.indices[some.values > -torch.inf]
        bound[rows] = joint_entropy(p[:, rows], joint, weight) - before - alone[rows]
        seen[rows] = True
        best = max(best, float(bound[rows].max()))


def joint_entropy(p: torch.Tensor, joint: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the entropy in nats (m,) of a batch's labels and those of one more row, for each row
    (eq. 12 and 17).

    Args:
        p: probabilities (masks, m, C).
        joint: those of configurations of the batch (masks, c).
        weight: of each configuration in the sum (c,): 1, or one over how likely it was drawn.
    """
    # one product, one logarithm in place and one more product, over rows whose labels lie together
    together = (p / len(p)).flatten(1).T @ joint
    together *= together.clamp_min(torch.finfo(p.dtype).tiny).log_()
    return -(together @ weight).view(p.shape[1:]).sum(1)


def _sampled(
    joint: torch.Tensor, weight: torch.Tensor, most: int, drawn: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``most`` configurations, drawn by how likely they are, and their weights."""
    likely = (joint.mean(0) * weight).double()
    likely = likely / likely.sum()
    places = torch.rand(most, generator=drawn, device=drawn.device, dtype=torch.float64)
    found = torch.searchsorted(likely.cumsum(0), places.to(likely.device)).clamp_max(
        len(likely) - 1
    )
    return joint[:, found], (weight[found] / (most * likely[found])).float()
