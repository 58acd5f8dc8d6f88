"""Cross entropy, stopped early by rows that are as touched as the others."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.poisoning import Model, PoisoningMethod, Problem, Seeds, cross_entropy, train
from bench.training.data import stratified_split
from bench.training.nets import StackedNet


class _State:
    """The rows held out (K, h), their labels, and each member's best net so far."""

    def __init__(self, seeds: Seeds, held: torch.Tensor) -> None:
        self.seeds, self.held, self.y = seeds, held, seeds.y.gather(1, held)
        self.best = copy.deepcopy(seeds.nets)
        self.lost = torch.full((seeds.members,), torch.inf, device=seeds.device)

    def look(self) -> None:
        """Keep the nets of the members whose loss on the held-out rows is lower than ever."""
        nets = self.seeds.nets
        now = cross_entropy(self.seeds.logits(nets, self.held), self.y).mean(1)
        better, self.lost = now < self.lost, torch.minimum(now, self.lost)
        with torch.no_grad():
            for mine, other in zip(
                (*self.best.parameters(), *self.best.buffers()),
                (*nets.parameters(), *nets.buffers()),
                strict=True,
            ):
                mine[better] = other[better]


class EarlyCrossEntropy(PoisoningMethod):
    """Train on most rows, and hand over the net with the lowest loss on the others."""

    card: ClassVar = MethodCard(
        name="ce-early",
        title="Cross entropy, stopped early on held-out rows",
        track="poisoning",
        deviates="The learning rate falls over all epochs as the task says, and the epoch with "
        "the lowest held-out loss is kept; of equal ones the first. There are no clean rows to "
        "stop by.",
        signal="held-out",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(gt=0, le=0.5)] = 0.2
    """Share of the rows that is held out, in proportion by label."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Hold rows out, train on the others."""
        seeds = self.gather(problems, runs)
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
        """Look at the held-out rows."""
        state.look()

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the best net so far."""
        found: Model = state.best.member(k)
        return found
