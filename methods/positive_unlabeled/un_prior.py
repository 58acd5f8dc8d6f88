"""What is not known is negative, with the threshold where the prior says."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.positive_unlabeled import Members, Model, PositiveUnlabeledMethod
from bench.training.state import evaluating


class PriorThreshold(PositiveUnlabeledMethod):
    """Train with the unlabelled sample as negative, then move the scores so that the share of it
    above 0 is the prior.
    """

    card: ClassVar = MethodCard(
        name="un-prior",
        title="What is not known is negative, threshold by the prior",
        track="positive-unlabeled",
        needs=("prior",),
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_known: ClassVar = False

    def readout(self, state: Members, members: Members, k: int) -> Model:
        """Return the net, moved by the quantile of its own scores."""
        problem, net = members.problems[k], members.nets.member(k)
        with evaluating(members.nets):
            z = torch.cat([net(part) for part in members.x[k].split(4096)])
        if problem.scheme == "case-control":
            z = z[~problem.s.any(1)]
        members.runs[k].count(forward=len(z))
        edge = torch.stack(
            [
                one.quantile(float(1 - prior))
                for one, prior in zip(z.T, members.prior[k], strict=True)
            ]
        )
        return moved(net, edge)


def moved(model: Model, edge: torch.Tensor) -> Model:
    """Return a model whose scores are lower by ``edge`` (L,)."""

    def scores(x: torch.Tensor) -> torch.Tensor:
        return model(x) - edge

    return scores
