"""PGD training, stopped early on held-out rows under attack (arXiv:2002.11569)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.adversarial import AdversarialMethod, Attacks, Problem, Seeds
from bench.training import attacks
from bench.training.data import stratified_split
from bench.training.nets import StackedNet
from bench.training.recipe import Model, train
from bench.training.state import evaluating


class _State(Attacks):
    """The attacks, the rows held out (K, h), and each member's best nets so far."""

    def __init__(self, seeds: Seeds, held: torch.Tensor) -> None:
        super().__init__(seeds)
        self.x, self.y = seeds.inputs(held), seeds.y.gather(1, held)
        self.best, self.score = copy.deepcopy(seeds.nets), torch.full((seeds.members,), -1.0)
        self.score = self.score.to(seeds.device)

    def look(self) -> None:
        """Keep the nets of the members that are right on more of the attacked rows than before."""
        nets = self.seeds.nets
        found = self.ascend(nets, attacks.cross_entropy(self.y), self.x)
        self.seeds.count(forward=self.y.shape[1])
        with evaluating(nets):
            now = (nets(found).argmax(-1) == self.y).float().mean(1)
        better, self.score = now > self.score, torch.maximum(now, self.score)
        with torch.no_grad():
            for mine, other in zip(
                (*self.best.parameters(), *self.best.buffers()),
                (*nets.parameters(), *nets.buffers()),
                strict=True,
            ):
                mine[better] = other[better]


class EarlyPgd(AdversarialMethod):
    """Train as PGD training does on most rows, and hand over the net as it was when it was right on
    most of the other rows under attack.
    """

    card: ClassVar = MethodCard(
        name="pgd-early",
        title="PGD training, stopped early on held-out rows under attack",
        track="adversarial",
        paper="arXiv:2002.11569",
        bibtex="""@inproceedings{rice2020overfitting,
  title = {Overfitting in adversarially robust deep learning},
  author = {Rice, Leslie and Wong, Eric and Kolter, J. Zico},
  booktitle = {ICML},
  year = {2020},
  eprint = {2002.11569},
  archivePrefix = {arXiv}
}""",
        claim="Robust accuracy falls late in a training; stopped early, PGD training is as robust "
        "as what was proposed since.",
        official_code="none",
        deviates="The rate falls over all epochs as the task says, and the best epoch is taken "
        "afterwards; of equal ones the first.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the rows that is held out, in proportion by label."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Hold rows out, train on the others."""
        seeds = Seeds(problems, runs)
        count = min(max(round(self.share * seeds.n_rows), 1), seeds.n_rows - 1)
        splits = [
            stratified_split(
                problem.y.cpu().numpy(), count, run.numpy_generator("method", "held out")
            )
            for problem, run in zip(problems, runs, strict=True)
        ]
        kept, held = (
            torch.stack([torch.from_numpy(part) for part in parts]).to(seeds.device)
            for parts in zip(*splits, strict=True)
        )
        part = seeds.part(kept)
        part.nets = seeds.build()
        state = _State(part, held)
        train(self, part, state)
        return self.solutions(state, part)

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Attack the held-out rows."""
        state.look()

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the best net so far."""
        found: Model = state.best.member(k)
        return found
