"""Dark experience replay++ (arXiv:2004.07211)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members, cross_entropy
from bench.training.memory import Memory, Rows


class _State:
    """The store, what was drawn from it for the step, and whether rows come for the first time."""

    def __init__(self, memory: Memory, steps: int) -> None:
        self.memory, self.steps = memory, steps
        self.drawn: list[Rows] = []


class DarkExperienceReplay(ContinualMethod):
    """Cross entropy of the batch + alpha mean (z - z_stored)^2 on rows of the store + beta cross
    entropy on others of them (equation 6); the store holds logits as they were before the step.
    """

    card: ClassVar = MethodCard(
        name="derpp",
        title="Dark experience replay++",
        track="continual",
        paper="arXiv:2004.07211",
        bibtex="""@inproceedings{buzzega2020dark,
  title = {Dark Experience for General Continual Learning: a Strong, Simple Baseline},
  author = {Buzzega, Pietro and Boschini, Matteo and Porrello, Angelo and Abati, Davide and
            Calderara, Simone},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2004.07211},
  archivePrefix = {arXiv}
}""",
        claim="Matching logits that were stored along the way, beside labels, beats replay of "
        "labels alone.",
        official_code="ok",
        deviates="A row is offered to the store on its first visit only, so that no row is stored "
        "twice.",
        signal="dynamics",
        needs=("memory",),
        stacked=True,
        defaults_from="paper",
        tuning={"alpha": (0.2, 0.5, 1.0), "beta": (0.5, 1.0)},
    )
    alpha: Annotated[float, Meta(ge=0)] = 0.5
    """Weight of the distance from stored logits."""
    beta: Annotated[float, Meta(ge=0)] = 0.5
    """Weight of the cross entropy on stored rows."""

    def start(self, members: Members) -> _State:
        """Open the store."""
        outputs = members.problem.n_classes
        steps = [steps // members.problem.epochs for steps in members.problem.stream.steps]
        return _State(members.memory(outputs), min(steps))

    def inputs(self, state: _State, batch: Chunk) -> torch.Tensor:
        """Return the batch and two batches of the store."""
        memory, size = state.memory, batch.y.shape[1]
        used = memory.kept and (self.alpha or self.beta)
        state.drawn = [memory.draw(size), memory.draw(size)] if used else []
        return torch.cat([batch.x, *(rows.x for rows in state.drawn)], 1)

    def loss(self, state: _State, batch: Chunk, logits: torch.Tensor) -> torch.Tensor:
        """Return the three terms as one."""
        new, *old = logits.split(
            [part.shape[1] for part in (batch.y, *(r.y for r in state.drawn))], 1
        )
        loss = cross_entropy(new, batch.y)
        if old:
            dark, plain = state.drawn
            assert dark.logits is not None
            apart = (old[0] - dark.logits).square().mean((1, 2))
            known = cross_entropy(old[1], plain.y).mean(1)
            loss = loss + (self.alpha * apart + self.beta * known)[:, None]
        return loss

    def after_step(
        self, state: _State, members: Members, batch: Chunk, logits: torch.Tensor
    ) -> None:
        """Offer the batch and its logits to the store, the first time that it comes."""
        state.drawn = []
        if state.memory.capacity and batch.step < state.steps:
            state.memory.reservoir(batch.x, batch.y, batch.t, logits[:, : batch.y.shape[1]])
