"""Track ``data-valuation``: say what each training row is worth.

Valuation gives one number a training row, its contribution to the utility of a model; attribution
gives one a training row and query. Higher is more useful in both; a harmful row is negative.

Shapes: N training rows, V validation rows, T queries, C classes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import torch

from bench.cards import TrackCard
from bench.declared import Array, Meta, Size
from bench.errors import InvalidRun

__all__ = [
    "FITS",
    "Problem",
    "Queries",
    "Reported",
    "Solution",
    "Utility",
    "attribution_of",
    "value_of",
]

TRACK = TrackCard(
    name="data-valuation",
    title="Data valuation",
    about="Say what each training row is worth to a model, or to its answer to a query.",
    field="worth of data",
    ranked="methods that value rows, by what their values are used for: finding and repairing "
    "wrong rows, dropping rows, telling what other fits would answer",
)

FITS = (100, 1_000, 10_000, 30_000)
"""Numbers of fits at which methods that sample report, so that they are compared at equal fits."""

Target = Literal["shapley", "banzhaf", "beta"]


class Utility(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of rows is worth: the score of a model that is fitted on them.

    Attributes:
        learner: ``ridge``: least squares on one-hot labels, the bias penalised like the rest;
            ``logreg``: multinomial logistic regression, the penalty on the mean loss; ``knn``: the
            share of the ``k`` nearest rows that have the label, without a fit.
        metric: ``accuracy`` on the validation rows, or minus the mean squared error.
        lam: weight of the penalty, lam ||theta||^2 beside the summed squared error (ridge), or
            lam / 2 ||theta||^2 beside the mean loss (logreg).
        k: neighbours.
        empty: the value of no rows at all.
    """

    learner: Literal["ridge", "logreg", "knn"] = "ridge"
    metric: Literal["accuracy", "negative-mse"] = "accuracy"
    lam: Annotated[float, Meta(gt=0)] = 1.0
    k: Annotated[int, Meta(ge=1)] = 10
    empty: float = 0.0


class Queries(msgspec.Struct, frozen=True, kw_only=True):
    """Rows whose answers are to be attributed.

    Attributes:
        x: inputs (T, ...), float32.
        y: their labels (T,).
    """

    x: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees.

    Attributes:
        x: inputs of the training rows (N, ...), float32.
        y: their given labels (N,), int64, or numbers (N,) float32 where ``n_classes`` is 0; some
            rows may be corrupted.
        x_val: inputs of the validation rows (V, ...), float32.
        y_val: their labels or numbers (V,).
        n_classes: C; 0: the labels are numbers.
        penalty: weight of the penalty of the linear model whose rows are attributed: lam / 2
            ||theta||^2 beside its mean loss, the bias included.
        utility: what sets of rows are worth; only for methods that need ``utility``.
        queries: only for methods that need ``queries``.
        classes: C again; only for methods that need ``classes``, since they can't do without.
        target: the semivalue that is asked for, where it is an exact one.
        max_fits: how many models may be fitted; None: as many as the method likes, counted.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C"), Array("N", dtype="float32")]
    x_val: Annotated[torch.Tensor, Array("V", ..., dtype="float32")]
    y_val: Annotated[
        torch.Tensor, Array("V", dtype="int64", ge=0, lt="C"), Array("V", dtype="float32")
    ]
    n_classes: Annotated[int, Size("C", least=0)]
    penalty: Annotated[float, Meta(gt=0)] = 0.01
    utility: Utility | None = None
    queries: Queries | None = None
    classes: int | None = None
    target: Target | None = None
    max_fits: Annotated[int, Meta(ge=1)] | None = None

    @property
    def n_queries(self) -> int:
        """How many queries there are."""
        return 0 if self.queries is None else len(self.queries.y)


class Solution(msgspec.Struct, kw_only=True):
    """What a method says of the rows: one of the first two, or both.

    Attributes:
        value: of each training row (N,), higher is more useful.
        attribution: of each training row for each query (N, T), higher raises the query's target.
        n_fits: models that were really fitted for it.
        stderr: standard errors of ``value`` (N,).
        halves: values (2, N) from two halves of the samples, drawn apart from each other.
        estimates: the semivalue of the problem's utility that ``value`` estimates; None: none.
    """

    value: Annotated[torch.Tensor | None, Array("N", dtype="float64")] = None
    attribution: Annotated[torch.Tensor | None, Array("N", "n_queries", dtype="float64")] = None
    n_fits: Annotated[int, Meta(ge=0)] = 0
    stderr: Annotated[torch.Tensor | None, Array("N", dtype="float64", ge=0)] = None
    halves: Annotated[torch.Tensor | None, Array(2, "N", dtype="float64")] = None
    estimates: Target | None = None

    def validate(self, problem: Problem) -> None:
        """Hold the fields against each other and against the budget.

        Raises:
            InvalidRun: there is nothing to judge by, or more models were fitted than allowed.
        """
        if self.value is None and self.attribution is None:
            raise InvalidRun(
                "it has neither a value nor an attribution; return one number a training row, or "
                "one a training row and query"
            )
        if problem.max_fits is not None and self.n_fits > problem.max_fits:
            raise InvalidRun(
                f"n_fits is {self.n_fits}; the problem allows {problem.max_fits} (max_fits), so "
                "fit no more than these"
            )


class Reported(msgspec.Struct, kw_only=True):
    """What a method that samples reports on its way, ``run.report(fits, Reported(...))``.

    Attributes:
        value: of each training row (N,), from no more fits than the step says.
    """

    value: Annotated[torch.Tensor, Array("N", dtype="float64")]


def value_of(solution: Solution) -> torch.Tensor:
    """Return a number a training row (N,), float64: the values, or where there are none the mean
    attribution over the queries.
    """
    if solution.value is not None:
        return solution.value.double()
    assert solution.attribution is not None, "a solution without both is refused before"
    return solution.attribution.double().mean(1)


def attribution_of(solution: Solution, queries: int) -> torch.Tensor:
    """Return a number a training row and query (N, T), float64: the attribution, or where there is
    none the values, the same for every query.
    """
    if solution.attribution is not None:
        return solution.attribution.double()
    return value_of(solution)[:, None].expand(-1, queries)
