"""Plain training, stopped early: the net of the epoch that does best on held-out rows."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.training.recipe import Model, Problem, Recipe, Seeds, Solution, fit, train
from bench.training.stack import StackedNet

from ._held_out import split


class _State:
    """The rows held out (K, h), their targets, and each member's best net so far."""

    def __init__(self, seeds: Seeds, held: torch.Tensor) -> None:
        self.seeds, self.held, self.y = seeds, held, seeds.y.gather(1, held)
        self.best = copy.deepcopy(seeds.nets)
        self.lost = torch.full((seeds.members,), torch.inf, device=seeds.device)

    def look(self) -> None:
        """Keep the nets of the members whose loss on the held-out rows is lower than ever."""
        logits = self.seeds.logits(self.seeds.nets, self.held)
        now = fit(logits, self.y).mean(1)
        better, self.lost = now < self.lost, torch.minimum(now, self.lost)
        theirs = (*self.seeds.nets.parameters(), *self.seeds.nets.buffers())
        with torch.no_grad():
            for mine, other in zip(
                (*self.best.parameters(), *self.best.buffers()), theirs, strict=True
            ):
                mine[better] = other[better]


class PlainEarly(Recipe):
    """Train on most rows, and hand over the net with the lowest loss on the others."""

    card: ClassVar = MethodCard(
        name="plain-early",
        title="Plain training, stopped early on held-out rows",
        track=("recipes", "long-tail", "regression"),
        deviates="The learning rate falls over all epochs as the task says, and the best epoch is "
        "taken afterwards; of equal ones the first.",
        signal="held-out",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(gt=0, le=0.5)] = 0.2
    """Share of the rows that is held out, in proportion by class where there are classes."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Hold rows out, train on the others."""
        seeds = self.gather(problems, runs)
        seeds.nets = seeds.build()
        kept, held = split(seeds, self.share)
        part = seeds.part(kept)
        state = _State(part, held)
        train(self, part, state)
        return [Solution(model=self.readout(state, part.nets, k)) for k in range(part.members)]

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Look at the held-out rows."""
        state.look()

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the best net so far."""
        found: Model = state.best.member(k)
        return found
