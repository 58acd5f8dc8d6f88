"""Cross entropy, stopped early: the net of the epoch that does best on
held-out rows with their given labels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.noisy_labels import Model, NoisyLabelMethod, Problem, Seeds, Solution, train
from bench.training.data import stratified_split
from bench.training.stack import StackedNet


class _State:
    """The rows held out (K, h), their given labels, and each member's best net so far."""

    def __init__(self, seeds: Seeds, held: torch.Tensor) -> None:
        self.seeds, self.held, self.y = seeds, held, seeds.y.gather(1, held)
        self.best, self.score = (
            copy.deepcopy(seeds.nets),
            torch.full((seeds.members,), -1.0, device=seeds.device),
        )

    def look(self) -> None:
        """Keep the nets of the members that label more of the held-out
        rows as given than ever before.
        """
        now = (self.seeds.logits(self.seeds.nets, self.held).argmax(-1) == self.y).float().mean(1)
        better, self.score = now > self.score, torch.maximum(now, self.score)
        theirs = (*self.seeds.nets.parameters(), *self.seeds.nets.buffers())
        with torch.no_grad():
            for mine, other in zip(
                (*self.best.parameters(), *self.best.buffers()), theirs, strict=True
            ):
                mine[better] = other[better]


class EarlyStopping(NoisyLabelMethod):
    """Train with cross entropy on most rows, and hand over the net as it
    was when it fitted the other rows best.
    """

    card: ClassVar = MethodCard(
        name="ce-early",
        title="Cross entropy, stopped early on held-out rows with their given labels",
        track=("noisy-labels", "label-errors"),
        deviates="The learning rate falls over all epochs as the task says, and the best epoch is "
        "taken afterwards; of equal ones the first.",
        signal="dynamics",
        stacked=True,
        plain=True,
        defaults_from="here",
        trials=3,
    )
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the rows that is held out, in proportion by given label; 0:
    none, and the last epoch counts.
    """

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Hold rows out, train on the others."""
        seeds = Seeds(problems, runs)
        count = round(self.share * seeds.n_rows)
        seeds.nets = seeds.build()
        if not count:
            train(self, seeds, None)
            return self.solutions(None, seeds)
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
        state = _State(part, held)
        train(self, part, state)
        return self.solutions(state, part)

    def after_epoch(self, state: _State | None, epoch: int) -> None:
        """Look at the held-out rows."""
        if state is not None:
            state.look()

    def readout(self, state: _State | None, nets: StackedNet, k: int) -> Model:
        """Return the best net so far."""
        found: Model = (nets if state is None else state.best).member(k)
        return found
