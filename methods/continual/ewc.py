"""Elastic weight consolidation (arXiv:1612.00796)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members
from bench.training.fisher import diagonal_fisher
from bench.training.stack import StackedMLP

from ._points import moved, pull, values


class _State:
    """Weights at the last task's end, and how much each of them counts."""

    def __init__(self) -> None:
        self.point: list[torch.Tensor] = []
        self.fisher: list[torch.Tensor] = []


class ElasticWeightConsolidation(ContinualMethod):
    """Add lam F (theta - theta*) to the gradient, where F is the diagonal of the Fisher matrix of
    the tasks before (equation 3, one point for all of them).
    """

    card: ClassVar = MethodCard(
        name="ewc",
        title="Elastic weight consolidation",
        track="continual",
        paper="arXiv:1612.00796",
        bibtex="""@article{kirkpatrick2017overcoming,
  title = {Overcoming catastrophic forgetting in neural networks},
  author = {Kirkpatrick, James and Pascanu, Razvan and Rabinowitz, Neil and Veness, Joel and
            others},
  journal = {PNAS},
  year = {2017},
  eprint = {1612.00796},
  archivePrefix = {arXiv}
}""",
        claim="Slowing down weights that mattered for earlier tasks keeps what was learned.",
        deviates="One running matrix and one point for all earlier tasks, as online variants have "
        "it; the expectation over labels is exact.",
        signal="dynamics",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (1.0, 10.0, 100.0)},
    )
    lam: Annotated[float, Meta(ge=0)] = 100.0
    """Weight of the term."""
    gamma: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """What a new task leaves of the matrix of those before, in [0, 1]."""

    def start(self, members: Members) -> _State:
        """Return a state without a task behind."""
        return _State()

    def before_step(self, state: _State, members: Members, batch: Chunk) -> None:
        """Pull each weight to where the last task left it."""
        if state.fisher and self.lam:
            apart = moved(members.nets, state.point)
            pull(
                members.nets,
                (self.lam * f * far for f, far in zip(state.fisher, apart, strict=True)),
            )

    def end(
        self, state: _State, members: Members, t: int, rows: tuple[torch.Tensor, torch.Tensor]
    ) -> None:
        """Add the task's matrix, and remember where the weights are."""
        assert isinstance(members.nets, StackedMLP)
        found = diagonal_fisher(members.nets, rows[0])
        members.count(forward=rows[0].shape[1], backward=rows[0].shape[1])
        before = state.fisher or [torch.zeros_like(own) for own in found]
        state.fisher = [self.gamma * f + own for f, own in zip(before, found, strict=True)]
        state.point = values(members.nets)
