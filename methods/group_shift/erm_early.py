"""Empirical risk minimisation, stopped early on held-out training rows."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.group_shift import GroupMethod, Model, Seeds, train
from bench.training.data import stratified_split
from bench.training.stack import StackedNet


class _State:
    """The rows held out (K, h), and each member's best net so far."""

    def __init__(self, seeds: Seeds, held: torch.Tensor) -> None:
        self.seeds, self.held, self.y = seeds, held, seeds.y.gather(1, held)
        self.best = copy.deepcopy(seeds.nets)
        self.score = torch.full((seeds.members,), -1.0, device=seeds.device)

    def look(self) -> None:
        """Keep the nets of the members that are right on more held-out rows than ever before."""
        now = (self.seeds.logits(self.seeds.nets, self.held).argmax(-1) == self.y).float().mean(1)
        better, self.score = now > self.score, torch.maximum(now, self.score)
        theirs = (*self.seeds.nets.parameters(), *self.seeds.nets.buffers())
        with torch.no_grad():
            for mine, other in zip(
                (*self.best.parameters(), *self.best.buffers()), theirs, strict=True
            ):
                mine[better] = other[better]


class EarlyStopping(GroupMethod):
    """Train on most rows, and hand over the net as it was when it fitted the others best."""

    card: ClassVar = MethodCard(
        name="erm-early",
        title="Empirical risk minimisation, stopped early on held-out training rows",
        track="group-shift",
        deviates="Held-out rows are of the training distribution: they say nothing of groups. The "
        "model of the best epoch alone is reported, so the task has nothing left to choose.",
        signal="held-out",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the rows that is held out, in proportion by label."""

    def solve_alike(self, problems: Sequence[Any], runs: Sequence[Any]) -> list[Any]:
        """Hold rows out, train on the others.

        Raises:
            InvalidRun: no row is left to train on.
        """
        seeds: Any = self.gather(problems, runs)
        seeds.nets = seeds.build()
        count = max(1, round(self.share * seeds.n_rows))
        if count >= seeds.n_rows:
            raise InvalidRun(
                f"share {self.share} holds out all of the {seeds.n_rows} training rows; take a "
                "smaller share, or more rows"
            )
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
        train(self, part, state, report=False)
        return self.solutions(state, part)

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Look at the held-out rows."""
        state.look()

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the best net."""
        found: Model = state.best.member(k)
        return found
