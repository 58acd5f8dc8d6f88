"""What is not known is negative, stopped early on held-out rows with what is known of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.positive_unlabeled import (
    REPORTS,
    Members,
    Model,
    PositiveUnlabeledMethod,
    Problem,
    Solution,
    log_loss,
)
from bench.training.stack import StackedNet
from bench.training.state import evaluating


class _State:
    """Each member's best net so far, and its loss on the rows held out (K,)."""

    def __init__(self, members: Members, held: Sequence[Problem]) -> None:
        self.x = torch.stack([own.x for own in held]).to(members.device)
        self.s = torch.stack([own.s for own in held]).to(members.device, members.x.dtype)
        self.best: StackedNet = copy.deepcopy(members.nets)
        self.loss = torch.full((members.members,), torch.inf, device=members.device)


class EarlyStopping(PositiveUnlabeledMethod):
    """Train on most rows, and hand over the net as it was when it told known rows of the others
    from unknown ones best.
    """

    card: ClassVar = MethodCard(
        name="un-early",
        title="What is not known is negative, stopped early",
        track="positive-unlabeled",
        deviates="It looks at the held-out rows twenty times.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_known: ClassVar = False
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    """Share of the rows that is held out."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Hold rows out, train on the others."""
        parts = [_split(*pair, self.share) for pair in zip(problems, runs, strict=True)]
        members = _Holding([kept for kept, _ in parts], runs, [held for _, held in parts])
        state = self.fit(members)
        return [Solution(model=self.readout(state, members, k)) for k in range(len(runs))]

    def start(self, members: Members) -> _State:
        """Return the state, whose best nets are the first."""
        assert isinstance(members, _Holding)
        return _State(members, members.held)

    def after_step(self, state: _State, members: Members, step: int) -> None:
        """Look at the held-out rows."""
        if step % max(1, members.problem.steps // REPORTS):
            return
        with evaluating(members.nets):
            now = log_loss(members.nets(state.x), state.s).mean((1, 2))
        members.count(forward=state.x.shape[1])
        better, state.loss = now < state.loss, torch.minimum(now, state.loss)
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
    """The problems without the rows held out, and these."""

    def __init__(
        self, problems: Sequence[Problem], runs: Sequence[Run], held: Sequence[Problem]
    ) -> None:
        super().__init__(problems, runs)
        self.held = list(held)


def _split(problem: Problem, run: Run, share: float) -> tuple[Problem, Problem]:
    """Return a problem of most rows and one of the others, known rows in proportion."""
    generator = run.numpy_generator("method", "held out")
    marked = problem.s.any(1).cpu()
    held = torch.zeros(len(marked), dtype=torch.bool)
    for group in (marked.nonzero()[:, 0], (~marked).nonzero()[:, 0]):
        order = torch.from_numpy(generator.permutation(len(group)))
        # at least one row of a group is trained on
        held[group[order[: min(round(share * len(group)), max(0, len(group) - 1))]]] = True
    # of all seeds as many: what the groups' sizes leave over is drawn from unmarked rows
    wanted = max(1, round(share * len(marked)))
    spare = (~held & ~marked).nonzero()[:, 0]
    if (lacking := wanted - int(held.sum())) > 0:
        held[spare[:lacking]] = True
    elif lacking < 0:
        held[(held & ~marked).nonzero()[lacking:, 0]] = False
    held = held.to(problem.x.device)
    return (
        msgspec.structs.replace(problem, x=problem.x[~held], s=problem.s[~held], propensity=None),
        msgspec.structs.replace(problem, x=problem.x[held], s=problem.s[held], propensity=None),
    )
