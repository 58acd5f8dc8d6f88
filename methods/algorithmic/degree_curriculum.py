"""Degree curriculum (arXiv:2301.13105)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.algorithmic import AlgorithmicMethod, Batch, Members


class _State:
    """The ball of each member, and its running loss (K,).

    Attributes:
        weight: how many signs of a row are -1 (K, N).
        radius: of the ball that is learned (K,).
        loss: running mean of the loss on it (K,).
    """

    def __init__(self, members: Members, leap: int) -> None:
        self.weight = (members.x < 0).sum(2)
        # a ball without a row is no stage
        least = self.weight.amin(1)
        self.radius = torch.maximum(least, torch.full_like(least, leap))
        self.last = self.weight.amax(1)
        self.loss = torch.ones(members.members, device=members.device)


class DegreeCurriculum(AlgorithmicMethod):
    """Train on rows with few signs of -1, and let the ball grow by so many signs whenever the
    running loss on it is small (algorithm 1).
    """

    card: ClassVar = MethodCard(
        name="degree-curriculum",
        title="Degree curriculum",
        track="algorithmic",
        paper="arXiv:2301.13105",
        bibtex="""@inproceedings{abbe2023generalization,
  title = {Generalization on the Unseen, Logic Reasoning and Degree Curriculum},
  author = {Abbe, Emmanuel and Bengio, Samy and Lotfi, Aryo and Rizk, Kevin},
  booktitle = {ICML},
  year = {2023},
  eprint = {2301.13105},
  archivePrefix = {arXiv}
}""",
        claim="Balls of growing radius teach the monomials of a function degree by degree, and "
        "parities with fewer rows and updates.",
        official_code="flawed",
        deviates="A ball ends by a running mean of the loss of its batches, which leaves out a "
        "share of .9 a step; the task's updates are its budget, whatever ball it has reached.",
        signal="none",
        needs=("signs",),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"leap": (1, 2, 4)},
    )
    leap: Annotated[int, Meta(ge=1)] = 2
    """Signs of -1 by which the ball grows."""
    enough: Annotated[float, Meta(gt=0)] = 1e-3
    """Running loss below which it grows."""

    def start(self, members: Members) -> _State:
        """Return the first balls."""
        return _State(members, self.leap)

    def allowed(self, state: _State, members: Members, step: int) -> torch.Tensor:
        """Return which rows lie in the ball (K, N)."""
        return state.weight <= state.radius[:, None]

    def after_step(
        self, state: _State, members: Members, batch: Batch, losses: torch.Tensor
    ) -> None:
        """Follow the loss, and let the ball grow."""
        state.loss = 0.9 * state.loss + 0.1 * losses.mean(1)
        done = (state.loss < self.enough) & (state.radius < state.last)
        state.radius = torch.where(done, state.radius + self.leap, state.radius)
        state.loss = torch.where(done, torch.ones_like(state.loss), state.loss)
