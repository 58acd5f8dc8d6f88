"""Cross entropy on labelled rows, stopped early on a part of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.semi_supervised import (
    REPORTS,
    Members,
    Model,
    Problem,
    SemiSupervisedMethod,
    Solution,
    soft_cross_entropy,
)
from bench.training.state import evaluating


class _State:
    """The rows held out (K, h), each member's best net so far, and its loss on them (K,)."""

    def __init__(self, members: Members, held: torch.Tensor) -> None:
        self.held, self.best = held, copy.deepcopy(members.nets)
        self.loss = torch.full((members.members,), torch.inf, device=members.device)


class EarlyStopping(SemiSupervisedMethod):
    """Train on most labelled rows, and hand over the net as it was when it fitted the others
    best.
    """

    card: ClassVar = MethodCard(
        name="sup-early",
        title="Labelled rows alone, stopped early on a part of them",
        track="semi-supervised",
        deviates="It looks at the held-out rows twenty times. Of fewer than two labelled rows none "
        "is held out.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_pool: ClassVar = False
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.25
    """Share of the labelled rows that is held out."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Hold rows out, train on the others."""
        members = _Holding(problems, runs, self.share)
        members.pool = members.pool[:, :0]
        return self.train(members)

    def start(self, members: Members) -> _State:
        """Return the state, whose best nets are the first."""
        assert isinstance(members, _Holding)
        return _State(members, members.held)

    def after_step(self, state: _State, members: Members, done: int) -> None:
        """Look at the held-out rows."""
        if done % max(1, members.problem.steps // REPORTS):
            return
        x = torch.stack([own[rows] for own, rows in zip(members.x, state.held, strict=True)])
        with evaluating(members.nets):
            loss = soft_cross_entropy(members.nets(x), members.labels.gather(1, state.held))
        members.count(forward=x.shape[1])
        # with nothing held out the last net is the best
        now = loss.mean(1) if x.shape[1] else state.loss - 1
        better, state.loss = now <= state.loss, torch.minimum(now, state.loss)
        with torch.no_grad():
            for mine, other in zip(
                (*state.best.parameters(), *state.best.buffers()),
                (*members.nets.parameters(), *members.nets.buffers()),
                strict=True,
            ):
                mine[better] = other[better]

    def readout(self, state: _State, members: Members, k: int) -> Model:
        """Return the best net so far."""
        return state.best.member(k)


class _Holding(Members):
    """The problems, a part of whose labelled rows is held out."""

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run], share: float) -> None:
        super().__init__(problems, runs)
        held = []
        for k, run in enumerate(runs):
            own = self.lists[k]
            count = min(len(own) - 1, max(1, round(share * len(own)))) if len(own) > 1 else 0
            order = torch.from_numpy(
                run.numpy_generator("method", "held out").permutation(len(own))
            )
            held.append(own[order[:count]])
            self.lists[k] = own[order[count:]]
        self.held = torch.stack(held).to(self.device)
