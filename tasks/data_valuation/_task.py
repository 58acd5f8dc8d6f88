"""What the tasks that judge values share: the figures of every value, and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from bench import Case, Outcome, Run, Score, Setup, Watched
from bench.tracks.data_valuation import Problem, Reported, Solution, Utility, value_of
from bench.tracks.data_valuation_sampling import draw_orders, gains, of_rows
from bench.training.pictures import curves, histograms
from bench.training.tiles import grid

from ._data import Hidden, RowsTask, judged_game, uncentred
from ._metrics import known, spearman

SHARES = np.arange(10) / 20
"""Shares of the rows that are dropped: 0, 5, ..., 45 %."""
ORDERS = 100
"""Orders by which references value rows."""


class ValuationTask(RowsTask):
    """Judges one number a training row."""

    accepts: ClassVar = Solution

    learner: Literal["ridge", "logreg", "knn"] = "ridge"
    """The learner of the utility."""

    def utility(self, classes: int) -> Utility:
        """Return the utility; the empty set is worth a guess, or predicting 0."""
        if not classes:
            return Utility(learner=self.learner, metric="negative-mse", empty=-1.0)
        empty = 0.0 if self.learner == "knn" else 1 / classes
        lam = 0.01 if self.learner == "logreg" else 1.0
        return Utility(learner=self.learner, lam=lam, empty=empty)

    def watch(self, case: Case, k: int, step: int, model: Reported) -> Watched:
        """Score values from the first ``step`` fits."""
        value = model.value.detach().double().cpu().numpy()
        return Watched(self.judge(case.problems[0], case.hidden, value)[0])

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the values, and say what they cost and how far they repeat."""
        problem, hidden = case.problems[0], case.hidden
        solution: Solution = outcomes[0].solution
        value = value_of(solution).detach().cpu().numpy()
        metrics, lines = self.judge(problem, hidden, value)
        seconds = outcomes[0].cost.get("solve_cpu_s", 0.0)
        metrics |= {
            "reliability": reliability(solution),
            "n_fits": float(solution.n_fits),
            "fits_per_s": solution.n_fits / seconds if seconds and solution.n_fits else None,
        }
        return Score(
            metrics=metrics,
            arrays={"value": value},
            images=_pictures(problem, hidden, value, lines),
            not_rankable=self.pointless(hidden),
        )

    def judge(
        self, problem: Problem, hidden: Hidden, value: np.ndarray
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Return the figures of values (N,), and curves to draw: name -> points."""
        raise TypeError(f"{type(self).__name__} has no judge; write one.")

    def pointless(self, hidden: Hidden) -> str | None:
        """Say why this cell says nothing; None: it does."""
        if not bool(hidden.bad.any()):
            return "no row was corrupted, so there is nothing to find"
        if bool(hidden.bad.all()):
            return "every row was corrupted, so there is nothing to tell apart"
        return None

    def tell_corrupted(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: knows which rows were corrupted."""
        return Solution(value=(~hidden.bad).double())


def reliability(solution: Solution) -> float | None:
    """Return how far two halves of the samples agree; None where there are none."""
    if solution.halves is None:
        return None
    one, other = solution.halves.detach().cpu().numpy()
    return known(float(spearman(one, other)))


def values_by_test(problem: Problem, hidden: Hidden, run: Run) -> tuple[torch.Tensor, int]:
    """Return Shapley values (N,) of the utility on the test rows, by random orders, and the fits
    that they took; for references, which may peek.
    """
    game = judged_game(problem, hidden)
    orders = draw_orders(game.n, ORDERS, run.numpy_generator("method")).to(game.device)
    return of_rows(gains(game, orders), orders).mean(0), game.fits


def dropped(problem: Problem, hidden: Hidden, value: np.ndarray) -> dict[str, np.ndarray]:
    """Return the test accuracy (10,) in percent of the utility's learner without the share of rows
    of the lowest values, and of the highest; of equal values the first rows go first.
    """
    order = np.argsort(value, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    count = np.round(SHARES * len(order)).astype(int)[:, None]
    masks = np.concatenate([place >= count, place < len(order) - count])
    found = judged_game(problem, hidden).values(torch.from_numpy(masks).to(problem.y.device))
    low, high = 100 * found.cpu().numpy().reshape(2, -1)
    return {"lowest dropped": low, "highest dropped": high}


def _pictures(
    problem: Problem, hidden: Hidden, value: np.ndarray, lines: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Return how values of right and corrupted rows differ, the curves, and for pictures the rows
    of the lowest and highest values.
    """
    bad = hidden.bad.cpu().numpy()
    found = {}
    if bad.any():
        found["values"] = histograms(
            {"as it was": value[~bad], "corrupted": value[bad]}, "Values of the rows", "value"
        )
    if lines:
        found["curves"] = curves(lines, "What the values are worth", "% of the rows", "accuracy, %")
    if problem.x.dim() == 4:
        order = np.argsort(value, kind="stable")
        rows = np.concatenate([order[:16], order[-16:]])
        given, true = problem.y.cpu().numpy(), hidden.y_true.cpu().numpy()
        found["rows"] = grid(
            uncentred(problem.x[torch.from_numpy(rows)], problem.x),
            [f"{given[row]} (is {true[row]})" for row in rows],
            columns=8,
            title="Two lines of the lowest values, two of the highest: given label (true label)",
        )
    return found
