"""Selective synaptic dampening (arXiv:2308.07707)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import (
    Group,
    Nets,
    Solution,
    UnlearningMethod,
    cross_entropy,
    descend,
    solutions,
)


class SelectiveSynapticDampening(UnlearningMethod):
    """Shrink the weights that matter much more to S than to all rows. No training."""

    card: ClassVar = MethodCard(
        name="ssd",
        title="Selective synaptic dampening",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2308.07707",
        bibtex="""@inproceedings{foster2024fast,
  title = {Fast Machine Unlearning Without Retraining Through Selective Synaptic Dampening},
  author = {Foster, Jack and Schoepf, Stefan and Brintrup, Alexandra},
  booktitle = {AAAI},
  year = {2024},
  eprint = {2308.07707},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates=(
            "Without a value for alpha it takes the one of 'grid' that the track's score, read off "
            "validation rows and the rows to forget, likes best among those that cost little "
            "validation accuracy, where rows of a class that goes as a whole don't count: no one "
            "value serves two nets. The importance on all rows comes "
            "before the request and is in 'precompute'."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (0.03, 0.1, 0.3, 1.0), "drop": (1.0, 2.0)},
    )
    settings: ClassVar = {
        "cifar10": {"alpha": 10.0, "lam": 1.0},
        "faces": {"alpha": 50.0, "lam": 0.1},
    }
    alpha: Annotated[float, Meta(gt=0)] | None = None
    """A weight is dampened if its importance on S is more than alpha times
    that on all rows; none: choose from the grid.
    """
    grid: tuple[float, ...] = (
        0.5,
        0.7,
        1.0,
        1.5,
        2.0,
        3.0,
        5.0,
        7.0,
        10.0,
        15.0,
        20.0,
        30.0,
        50.0,
        100.0,
    )
    """What to choose from."""
    drop: Annotated[float, Meta(ge=0)] = 2.0
    """Points of validation accuracy that a value of the grid may cost."""
    lam: Annotated[float, Meta(gt=0)] = 0.1
    """A dampened weight is multiplied by min(1, lam I_D / I_S)."""

    def unlearn(self, group: Group) -> list[Solution]:
        """Dampen; of settings that score equally the gentlest."""
        nets = group.originals().eval()
        everything, forget = (
            importance(group, nets, group.everything),
            importance(group, nets, group.forget),
        )
        floor = group.accuracy(nets) - self.drop / 100
        best, score = (
            nets,
            torch.full((group.members,), -1.0, dtype=torch.float64, device=group.device),
        )
        for alpha in [self.alpha] if self.alpha is not None else sorted(self.grid, reverse=True):
            tried = dampened(group.originals(), everything, forget, alpha, self.lam)
            found = (
                group.score(tried).where(group.accuracy(tried) >= floor, -1.0)
                if self.alpha is None
                else score + 1
            )
            best, score = (
                group.stack(
                    [(tried if found[k] > score[k] else best).net(k) for k in range(group.members)]
                ),
                torch.maximum(found, score),
            )
        precompute = 2 * group.everything.shape[1]
        return solutions(best, precompute=precompute)


def importance(group: Group, nets: Nets, rows: torch.Tensor) -> list[torch.Tensor]:
    """Return for each parameter the mean over batches of the squared
    gradient of a batch's cross entropy.
    """
    sums = [torch.zeros_like(parameter) for parameter in nets.parameters()]
    batches = 0
    for batch in group.in_parts(rows, group.problem.batch_size):
        nets.zero_grad()
        descend(cross_entropy(nets(batch.x), batch.y))
        batches += 1
        for total, parameter in zip(sums, nets.parameters(), strict=True):
            assert parameter.grad is not None, "every parameter takes part in the loss"
            total += parameter.grad.square()
    group.count(forward=rows.shape[1], backward=rows.shape[1])
    return [total / batches for total in sums]


def dampened(
    nets: Nets, everything: list[torch.Tensor], forget: list[torch.Tensor], alpha: float, lam: float
) -> Nets:
    """Multiply by min(1, lam I_D / I_S) where I_S > alpha I_D."""
    with torch.no_grad():
        for parameter, all_rows, some in zip(nets.parameters(), everything, forget, strict=True):
            factor = (lam * all_rows / some.clamp_min(1e-38)).clamp_max(1)
            parameter *= torch.where(some > alpha * all_rows, factor, 1.0)
    return nets
