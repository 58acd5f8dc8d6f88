"""What the tasks of the track share: the noise, the protocol and the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import torch

from bench import Case, Meta, Metric, Outcome, Reference, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.noisy_regression import Problem, Recipe, Solution
from bench.training.data import standardised
from bench.training.pictures import curves, scatter
from bench.training.rowwise import rowwise
from bench.training.state import predict

METRICS = (
    Metric(
        name="mae_clean",
        primary=True,
        direction="min",
        bounds=(0, None),
        title="mean absolute error on clean test targets, in their sd",
    ),
    Metric(
        name="rmse_clean",
        direction="min",
        bounds=(0, None),
        title="root mean squared error on clean test targets, in their sd",
    ),
    Metric(
        name="bias",
        direction="none",
        bounds=(None, None),
        title="mean of prediction minus clean target on test rows, in sd",
    ),
)
REFERENCES = (
    Reference(name="mse", kind="low", title="the squared error"),
    Reference(name="clean", kind="high", title="The squared error on clean targets", solve="tell"),
)


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        y: clean targets of the training rows (N,), float32.
        x_test: inputs (T, D), float32.
        y_test: their clean targets (T,), float32.
    """

    y: Annotated[torch.Tensor, Array("N", dtype="float32")]
    x_test: Annotated[torch.Tensor, Array("T", "D", dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="float32")]


class SensorTask(Task):
    """Lowers some training targets by the size of a normal number; judged on clean ones."""

    accepts: ClassVar = Solution

    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Chance of a training target to be too low."""
    depth: Annotated[float, Meta(ge=0)] = 1.0
    """Scale of how much too low, in standard deviations of the targets."""
    widths: tuple[int, ...] = (64,)
    """Widths of the hidden layers."""
    epochs: Annotated[int, Meta(ge=1)] = 30
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 128
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.01
    """Rate of Adam at the start; it falls on half a cosine."""

    def rows(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Return inputs (n, D), clean targets (n,) and N: the first N rows are for training."""
        raise TypeError(f"{type(self).__name__} has no rows; write them.")

    def prepare(self, run: Setup) -> Case:
        """Standardise by the training rows, and lower some targets."""
        x, y, first = self.rows(run)
        own, other = standardised(x[:first], x[first:])
        clean, y_test = standardised(y[:first, None], y[first:, None])
        drawn = run.numpy_generator("corruption")
        low = torch.from_numpy(drawn.random(first) < self.share)
        fall = torch.from_numpy(drawn.standard_normal(first)).float().abs()
        clean, device = clean[:, 0], run.device
        problem = Problem(
            x=own.to(device),
            y=(clean.cpu() - self.depth * low * fall).to(device),
            widths=self.widths,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            optimiser="adam",
        )
        hidden = Hidden(y=clean.to(device), x_test=other.to(device), y_test=y_test[:, 0].to(device))
        return Case(problems=[problem], hidden=hidden)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch."""
        return Watched(_judged(predict(model, case.hidden.x_test), case.hidden.y_test))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model."""
        outcome, hidden = outcomes[0], case.hidden
        solution: Solution = outcome.solution
        said = rowwise(solution.model, hidden.x_test)
        line = [(entry["step"], entry["mae_clean"]) for entry in outcome.curve]
        shown = (hidden.y_test.cpu().numpy(), said[:, 0].cpu().numpy())
        return Score(
            metrics=_judged(said, hidden.y_test),
            images={
                "predictions": scatter(
                    {"test rows": shown},
                    "Predictions against clean targets",
                    "clean target, sd",
                    "prediction, sd",
                ),
                "epochs": curves({"mae_clean": line}, "", "epoch", "sd"),
            },
        )

    def tell(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the squared error on clean targets."""
        found: Solution = Recipe().solve(msgspec.structs.replace(problem, y=hidden.y), run)
        return found


def _judged(said: torch.Tensor, y: torch.Tensor) -> dict[str, float | None]:
    """Return the figures of predictions (n, 1) for clean targets (n,)."""
    wrong = said[:, 0].double() - y.double()
    return {
        "mae_clean": float(wrong.abs().mean()),
        "rmse_clean": float(wrong.square().mean().sqrt()),
        "bias": float(wrong.mean()),
    }
