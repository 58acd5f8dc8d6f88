"""What the tasks that judge attributions share: queries, and fits that nobody else sees."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Outcome, Reference, Run, Score, Setup
from bench.runs.guard import fingerprint
from bench.tracks.data_valuation import Problem, Queries, Solution, attribution_of
from bench.tracks.data_valuation_linear import Fitted, design, fitted
from bench.training.pictures import scatter
from bench.training.tiles import grid

from ._data import Hidden, RowsTask, uncentred


class AttributionTask(RowsTask):
    """Judges one number a training row and query against fits on other rows.

    Queries are drawn like test rows; what is attributed is the margin of their label.
    """

    accepts: ClassVar = Solution

    n_test: Annotated[int, Meta(ge=2)] = 100
    """Queries."""
    penalty: Annotated[float, Meta(ge=1e-8, le=1000)] = 0.01
    """Weight of the penalty of the logistic regression that is attributed."""

    def prepare(self, run: Setup) -> Case:
        """Hand the rows out with the queries, and without a utility."""
        case = super().prepare(run)
        hidden, problem = case.hidden, case.problems[0]
        queries = Queries(x=hidden.x_test.clone(), y=hidden.y_test.clone())
        case.problems = [
            msgspec.structs.replace(problem, queries=queries, utility=None, penalty=self.penalty)
        ]
        return case

    def reveal(self, case: Case, run: Setup) -> None:
        """Fit the models that answers are judged by, once for all methods of a seed."""
        recipe = {
            "attribution": self.card.name,
            "task": {name: str(value) for name, value in self.values().items()},
            "seed": run.seed,
            "rows": fingerprint(case.hidden),
        }
        build = functools.partial(self.truth, case.problems[0], case.hidden)
        case.hidden = case.hidden, run.cached(recipe, build)[0]

    def truth(self, problem: Problem, hidden: Hidden, run: Run) -> dict[str, torch.Tensor]:
        """Return what fits on other rows answer."""
        raise TypeError(f"{type(self).__name__} has no truth; write one.")

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the attribution, and say what it cost."""
        hidden, truth = case.hidden
        solution: Solution = outcomes[0].solution
        given = attribution_of(solution, len(hidden.y_test)).detach().cpu().numpy()
        plain = {name: tensor.cpu().numpy() for name, tensor in truth.items()}
        seconds = outcomes[0].cost.get("solve_cpu_s", 0.0)
        metrics, points = self.judge(given, plain, run)
        metrics |= {
            "n_fits": float(solution.n_fits),
            "fits_per_s": solution.n_fits / seconds if seconds and solution.n_fits else None,
        }
        images = {"answers": scatter({"query 0": points}, "One query", "predicted", "fitted")}
        if hidden.x_test.dim() == 4:
            images["rows"] = _rows(case.problems[0], hidden, given)
        return Score(metrics=metrics, arrays={"attribution": given}, images=images)

    def judge(
        self, given: np.ndarray, truth: dict[str, np.ndarray], run: Setup
    ) -> tuple[dict[str, float | None], tuple[np.ndarray, np.ndarray]]:
        """Return the figures of an attribution (N, T), and for one query what was predicted and
        what was fitted.
        """
        raise TypeError(f"{type(self).__name__} has no judge; write one.")


def whole(problem: Problem, hidden: Hidden) -> tuple[Fitted, torch.Tensor]:
    """Return the model of all rows, and the queries as it sees them (T, d)."""
    model = fitted(problem.x, problem.y, problem.n_classes, problem.penalty)
    return model, design(hidden.x_test)


def _rows(problem: Problem, hidden: Hidden, given: np.ndarray) -> np.ndarray:
    """Return the first queries, at most four, each with the rows that help and harm it most."""
    pictures, captions = [], []
    for t in range(min(4, given.shape[1])):
        order = np.argsort(given[:, t], kind="stable")
        pictures += [hidden.x_test[t], *problem.x[torch.from_numpy(order[[-1, -2, -3, 2, 1, 0]])]]
        said = [f"{problem.y[row]}" for row in order[[-1, -2, -3, 2, 1, 0]].tolist()]
        captions += [f"query {int(hidden.y_test[t])}", *said]
    return grid(
        uncentred(torch.stack(pictures), problem.x),
        captions,
        columns=7,
        title="A query, three rows that help it most, three that harm it most",
    )


LOW = Reference(name="random", kind="low")
CONTROLS = (
    Reference(name="same-class", kind="control"),
    Reference(name="same-class-rbf", kind="control"),
)
