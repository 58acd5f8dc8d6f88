"""Self-distillation in rounds (arXiv:2102.13088)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Model, Recipe, Seeds, cross_entropy, train
from bench.training.stack import StackedNet


class _State:
    """The teachers of the round, and what they say of the rows at the temperature (K * N, C)."""

    def __init__(self, seeds: Seeds) -> None:
        self.seeds = seeds
        self.teachers: StackedNet | None = None
        self.taught = torch.empty(0)

    def follow(self, nets: StackedNet, tau: float) -> None:
        """Take these nets as the teachers."""
        self.teachers = nets
        self.taught = (self.seeds.logits(nets) / tau).softmax(-1).flatten(0, 1)


class DistillRounds(Recipe):
    """Train a net; then, in each round, a fresh net on the labels and on the answers of the one
    before.
    """

    card: ClassVar = MethodCard(
        name="distill-rounds",
        title="Self-distillation in rounds",
        track="recipes",
        paper="arXiv:2102.13088",
        bibtex="""@inproceedings{borup2021even,
  title = {Even Your Teacher Needs Guidance: Ground-Truth Targets Dampen Regularization Imposed by
    Self-Distillation},
  author = {Borup, Kenneth and Andersen, Lars N.},
  booktitle = {NeurIPS},
  year = {2021},
  eprint = {2102.13088},
  archivePrefix = {arXiv}
}""",
        claim="Each round of self-distillation regularises more; labels beside the teacher's "
        "answers dampen that, and the rounds converge.",
        deviates="The abstract alone was read: weights, rounds and temperature are chosen here. "
        "Each round costs the passes of plain training.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=4,
        tuning={"alpha": (0.0, 0.2, 0.5, 0.8), "tau": (1.0, 2.0, 4.0)},
    )
    settings: ClassVar = {"teacher-alone": {"alpha": 0.0}}
    alpha: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Weight of the labels; the teacher has the rest."""
    rounds: Annotated[int, Meta(ge=1)] = 1
    """How many students follow one another."""
    tau: Annotated[float, Meta(gt=0)] = 4.0
    """Temperature at which the teacher's answers are matched."""

    def start(self, seeds: Seeds) -> _State:
        """Train the teacher, and all students but the last."""
        state = _State(seeds)
        for number in range(self.rounds):
            part = seeds.part(None, "round", number)
            part.nets = seeds.build(first=1 + number)
            train(self if number else Recipe(), part, state, report=False)
            state.follow(part.nets, self.tau)
        return state

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Alpha CE(y) + (1 - alpha) tau^2 CE(teacher), both softened by tau."""
        taught = state.taught[batch.flat]
        imitation = -(taught * (logits / self.tau).log_softmax(-1)).sum(-1)
        labels = cross_entropy(logits, batch.y)
        return self.alpha * labels + (1 - self.alpha) * self.tau**2 * imitation

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Hand over the teacher of the last student."""
        assert state.teachers is not None, "there is a round at least"
        return [{"teacher": _of(state.teachers, k)} for k in range(seeds.members)]


def _of(nets: StackedNet, k: int) -> Model:
    found: Model = nets.member(k)
    return found
