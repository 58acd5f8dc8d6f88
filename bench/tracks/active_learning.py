"""Track ``active-learning``: choose the rows whose targets are asked for, and learn from them.

Shapes: K members (seeds), N rows, n known ones, m open ones, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bench.cards import TrackCard
from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks.active_learning_oracle import Ledger, Oracle
from bench.tracks.active_learning_problem import Model, Problem, Solution
from bench.tracks.active_learning_session import Loss, Session, Step, mask, risk
from bench.tracks.active_learning_view import View

__all__ = [
    "ActiveMethod",
    "Ledger",
    "Loss",
    "Model",
    "Oracle",
    "Problem",
    "Session",
    "Solution",
    "Step",
    "View",
    "entropy",
    "mask",
    "risk",
]

TRACK = TrackCard(
    name="active-learning",
    title="Active learning",
    about="Choose the rows whose labels are asked for, within a budget.",
    field="less data",
    ranked="ways to choose, by accuracy over all rounds",
)


class ActiveMethod(Method, frozen=True, kw_only=True):
    """The shared loop: train, report, choose rows, ask; methods differ in the choice, few in the
    training.
    """

    def begin(self, session: Session) -> Any:
        """Return the method's state."""
        return None

    def loss(self, state: Any, session: Session) -> Loss:
        """Return what is minimised: from outputs (K, B, C) and targets to losses (K, B)."""
        return risk(session.problem)

    def train(self, state: Any, session: Session) -> None:
        """Train fresh nets on all known rows."""
        session.nets = session.fit(session.known, session.y, self.loss(state, session))

    def readout(self, state: Any, session: Session, k: int) -> Model:
        """Return the model of member ``k`` as it is reported and handed over."""
        return session.nets.member(k)

    def ask(self, state: Any, view: View) -> torch.Tensor:
        """Return ``view.count`` of the open rows (count,), int64."""
        raise TypeError(f"{type(self).__name__} has no ask; write one.")

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Solve one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Solve several problems of one protocol: nets are trained together, rows are chosen one
        problem after the other.
        """
        session = Session(problems, runs)
        state = self.begin(session)
        ticks = [run.progress(session.problem.rounds + 1, "rounds") for run in runs]
        for mark in session.problem.marks:
            self.train(state, session)
            asked = []
            for k, run in enumerate(runs):
                run.report(mark, self.readout(state, session, k))
                if session.rest:
                    view = View(session, k)
                    asked.append(view.checked(self.ask(state, view)))
                    # at once: the ledger's clock counts the seconds of the choice
                    view.problem.oracle(asked[k])
                ticks[k]()
            if asked:
                session.learn(asked)
        first = len(session.problem.start)
        return [
            Solution(rows=session.known[k, first:], model=self.readout(state, session, k))
            for k in range(session.members)
        ]


def entropy(p: torch.Tensor) -> torch.Tensor:
    """Return the entropy of probabilities (..., C) in nats, (...,)."""
    found: torch.Tensor = -torch.special.xlogy(p, p).sum(-1)
    return found
