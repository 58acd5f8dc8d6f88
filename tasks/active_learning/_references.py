"""References that see what is hidden."""

from __future__ import annotations

import msgspec
import torch

from bench import InvalidRun, Run
from bench.tracks.active_learning import (
    ActiveMethod,
    Problem,
    Session,
    Solution,
    View,
    entropy,
    risk,
)


def on_all_labels(problem: Problem, true: torch.Tensor, run: Run) -> Solution:
    """Return a net of the true targets (N,) of all rows that have one, after the steps of all
    rounds together; it is reported in every round.
    """
    kind = "numbers" if problem.kind == "numbers" else "labels"
    told = msgspec.structs.replace(problem, kind=kind)
    session = Session([told], [run])
    rows = (true >= 0 if kind == "labels" else torch.ones_like(true)).nonzero()[:, 0]
    session.nets = session.fit(
        rows[None], true[rows][None], risk(told), "all", steps=len(problem.marks) * problem.steps
    )
    model = session.nets.member(0)
    for mark in problem.marks:
        run.report(mark, model)
    return Solution(rows=rows[:0], model=model)


class _Entropy(ActiveMethod):
    """Ask the rows of the highest entropy."""

    def ask(self, state: None, view: View) -> torch.Tensor:
        return view.highest(entropy(view.p))


def without_outliers(problem: Problem, stranger: torch.Tensor | None, run: Run) -> Solution:
    """Return what entropy reaches that may not ask rows of ``stranger`` (N,), bool.

    Raises:
        InvalidRun: too few others are left.
    """
    rows = torch.arange(len(problem.x), device=problem.x.device)
    if stranger is not None:
        rows = rows[~stranger]
    if len(rows) - len(problem.start) < problem.budget:
        raise InvalidRun(
            f"budget is {problem.budget}, and {len(rows) - len(problem.start)} rows with a right "
            "answer may be asked; give a smaller budget for the control outlier-free"
        )
    places = torch.full((len(problem.x),), -1, device=problem.x.device)
    places[rows] = torch.arange(len(rows), device=rows.device)

    def oracle(asked: torch.Tensor) -> torch.Tensor:
        return problem.oracle(rows[asked])

    part = msgspec.structs.replace(
        problem, x=problem.x[rows], start=places[problem.start], oracle=oracle
    )
    found = _Entropy().solve(part, run)
    return msgspec.structs.replace(found, rows=rows[found.rows])
