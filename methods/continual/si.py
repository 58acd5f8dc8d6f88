"""Synaptic intelligence (arXiv:1703.04200)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members

from ._points import moved, pull, values


class _State:
    """What each weight did for the loss: in this task (omega), and in those before (Omega)."""

    def __init__(self, members: Members) -> None:
        self.point = values(members.nets)
        self.now = [torch.zeros_like(own) for own in self.point]
        self.before = [torch.zeros_like(own) for own in self.point]
        self.gradient: list[torch.Tensor] = []
        self.at: list[torch.Tensor] = []


class SynapticIntelligence(ContinualMethod):
    """Add 2 c Omega (theta - theta*) to the gradient; Omega sums, over tasks, how much a weight
    lowered the loss along its way, by the square of that way (equations 3 to 5).
    """

    card: ClassVar = MethodCard(
        name="si",
        title="Synaptic intelligence",
        track="continual",
        paper="arXiv:1703.04200",
        bibtex="""@inproceedings{zenke2017continual,
  title = {Continual Learning Through Synaptic Intelligence},
  author = {Zenke, Friedemann and Poole, Ben and Ganguli, Surya},
  booktitle = {ICML},
  year = {2017},
  eprint = {1703.04200},
  archivePrefix = {arXiv}
}""",
        claim="Importance of weights, summed along the way of training, keeps earlier tasks as "
        "well as a Fisher matrix does.",
        signal="dynamics",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"c": (0.1, 1.0)},
    )
    c: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the term."""
    xi: Annotated[float, Meta(ge=1e-6)] = 0.1
    """What is added to the square of the way, so that it is not divided by 0."""

    def start(self, members: Members) -> _State:
        """Return a state in which no weight has done anything."""
        return _State(members)

    def before_step(self, state: _State, members: Members, batch: Chunk) -> None:
        """Note the gradient of the task alone, then pull."""
        state.at = values(members.nets)
        state.gradient = [
            own.grad.clone() for own in members.nets.parameters() if own.grad is not None
        ]
        if batch.t and self.c:
            apart = moved(members.nets, state.point)
            pull(
                members.nets,
                (2 * self.c * much * far for much, far in zip(state.before, apart, strict=True)),
            )

    def after_step(
        self, state: _State, members: Members, batch: Chunk, logits: torch.Tensor
    ) -> None:
        """Add what the step did: gradient times move."""
        steps = moved(members.nets, state.at)
        for total, gradient, step in zip(state.now, state.gradient, steps, strict=True):
            total -= gradient * step

    def end(
        self, state: _State, members: Members, t: int, rows: tuple[torch.Tensor, torch.Tensor]
    ) -> None:
        """Divide by the square of the way, and start anew."""
        ways = moved(members.nets, state.point)
        for much, total, way in zip(state.before, state.now, ways, strict=True):
            much += total / (way.square() + self.xi)
            total.zero_()
        state.point = values(members.nets)
