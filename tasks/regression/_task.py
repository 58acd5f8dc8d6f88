"""What the tasks of the track share: the protocol and the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import torch

from bench import Case, Meta, Metric, Outcome, Reference, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.errors import BenchError
from bench.tracks.regression import Problem, Recipe, Solution
from bench.training.data import Examples
from bench.training.pictures import curves, scatter
from bench.training.state import predict

_PROTOCOL = ("widths", "epochs", "batch_size", "lr", "optimiser")

METRICS = (
    Metric(
        name="rmse",
        primary=True,
        direction="min",
        bounds=(0, None),
        chance=1,
        title="root mean squared error on test rows, in sd of the training targets",
    ),
    Metric(
        name="mae",
        direction="min",
        bounds=(0, None),
        title="mean absolute error, in sd of the training targets",
    ),
    Metric(
        name="r2",
        bounds=(None, 1),
        title="share of the test targets' variance that is explained",
    ),
    Metric(
        name="rank_corr",
        bounds=(-1, 1),
        title="Spearman's correlation of predictions and targets",
    ),
    Metric(
        name="train_rmse",
        direction="none",
        bounds=(0, None),
        title="root mean squared error on training rows",
    ),
    Metric(
        name="rmse_val",
        validation=True,
        direction="min",
        bounds=(0, None),
        title="root mean squared error on held-out training rows",
    ),
)

REFERENCES = (
    Reference(name="plain", kind="low"),
    Reference(
        name="more-data",
        kind="high",
        title="Plain training on more rows",
        solve="train_on_more",
    ),
)


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees: the test rows, and further rows to train on."""

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="float32")]
    x_more: Annotated[torch.Tensor, Array("R", ..., dtype="float32", empty=True)]
    y_more: Annotated[torch.Tensor, Array("R", dtype="float32", empty=True)]


class RegressionTask(Task):
    """Train on few rows with real targets."""

    n_test: ClassVar[int]
    """Rows of the test part."""

    n_train: Annotated[int, Meta(ge=4)] = 200
    """Training rows."""
    n_more: Annotated[int, Meta(ge=0)] = 800
    """Further rows that the upper reference trains on."""
    widths: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""
    epochs: Annotated[int, Meta(ge=1)] = 60
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 32
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.01
    """Learning rate at the start; it falls on half a cosine."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """Whose rate it is."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows that is held out and scored instead of the test rows: for choosing
    parameters.
    """

    def rows(self, run: Setup) -> Examples:
        """Return all rows, ``n_train + n_more + n_test`` of them, in an order drawn by the seed."""
        raise NotImplementedError

    def prepare(self, run: Setup) -> Case:
        """Draw the rows; standardise inputs and targets by the training part."""
        data = self.rows(run)
        first = self.n_train
        kept = first
        if self.holdout:
            kept = first - max(1, round(self.holdout * first))
            if kept < 1:
                raise BenchError(
                    f"holdout={self.holdout} leaves none of n_train={first} rows; take less."
                )
        fit = slice(0, kept)
        x, y = (_standardised(values.float().to(run.device), fit) for values in (data.x, data.y))
        more = slice(first, first + self.n_more)
        test = slice(kept, first) if self.holdout else slice(len(y) - self.n_test, len(y))
        problem = Problem(x=x[fit], y=y[fit], **{name: getattr(self, name) for name in _PROTOCOL})
        return Case(problems=[problem], hidden=Hidden(x[test], y[test], x[more], y[more]))

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch."""
        wrong = predict(model, case.hidden.x_test)[:, 0] - case.hidden.y_test
        return Watched({"rmse": float(wrong.double().square().mean().sqrt())})

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model."""
        outcome, hidden, problem = outcomes[0], case.hidden, case.problems[0]
        solution: Solution = outcome.solution
        said = predict(solution.model, hidden.x_test)[:, 0].double()
        y = hidden.y_test.double()
        wrong = said - y
        rmse = float(wrong.square().mean().sqrt())
        if self.holdout:
            return Score(
                metrics={"rmse_val": rmse}, not_rankable="scored on held-out training rows"
            )
        spread = float((y - y.mean()).square().mean())
        known = predict(solution.model, problem.x)[:, 0].double() - problem.y.double()
        metrics = {
            "rmse": rmse,
            "mae": float(wrong.abs().mean()),
            "r2": 1 - rmse**2 / spread if spread else None,
            "rank_corr": _rank_correlation(said, y),
            "train_rmse": float(known.square().mean().sqrt()),
        }
        line = [(point["step"], point["rmse"]) for point in outcome.curve]
        return Score(
            metrics=metrics,
            images={
                "predictions": scatter(
                    {"test rows": (y.cpu().numpy(), said.cpu().numpy())},
                    "Predictions against truth",
                    "target, in sd",
                    "predicted, in sd",
                ),
                "epochs": curves({"rmse on test rows": line}, "", "epoch", "sd"),
            },
        )

    def train_on_more(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: plain training on these and further rows."""
        every = msgspec.structs.replace(
            problem,
            x=torch.cat([problem.x, hidden.x_more]),
            y=torch.cat([problem.y, hidden.y_more]),
        )
        found: Solution = Recipe().solve(every, run)
        return found


def _standardised(values: torch.Tensor, rows: slice) -> torch.Tensor:
    """Return values (n, ...) with mean 0 and variance 1, column by column, over some rows."""
    mean = values[rows].mean(0)
    spread = values[rows].std(0, correction=0)
    return (values - mean) / torch.where(spread > 0, spread, torch.ones_like(spread))


def _rank_correlation(one: torch.Tensor, other: torch.Tensor) -> float | None:
    from scipy import stats

    if len(one) < 2 or one.unique().numel() < 2 or other.unique().numel() < 2:
        return None
    return float(stats.spearmanr(one.cpu().numpy(), other.cpu().numpy()).statistic)
