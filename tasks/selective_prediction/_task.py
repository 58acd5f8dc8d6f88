"""What the tasks of the track share: digits of which half are corrupted, and a net that was trained
on clean ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Reference, Run, Score, Setup, Task
from bench.declared import Array
from bench.tracks.selective_prediction import Problem, Solution
from bench.training.corruptions import corrupt
from bench.training.fixed_net import Recipe, fixed_net
from bench.training.pictures import curves
from bench.training.rowwise import rowwise
from bench.training.state import predict

from ._metrics import cheapest, judged, risks

KINDS = ("noise", "blur", "rotate", "shift", "contrast", "impulse")
SEVERITIES = (1, 2, 3)
REFERENCES = (
    Reference(name="random", kind="low"),
    Reference(
        name="perfect",
        kind="high",
        title="has all right answers first",
        solve="tell_errors",
    ),
)


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        x_test: test rows (T, ...).
        y_test: their labels (T,).
    """

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]


class RejectTask(Task):
    """Trains a net on clean pictures, and judges scores on pictures of which half are corrupted."""

    source: ClassVar[str]
    brightest: ClassVar[float]

    net: Literal["mlp", "cnn"] = "mlp"
    """The net that is trained and handed out."""
    widths: tuple[int, ...] = ()
    """Widths of its hidden layers, or channels of its stages; (): the task's own."""
    epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes of its training."""
    n_train: Annotated[int, Meta(ge=20)] = 2500
    """Training rows, all clean."""
    n_val: Annotated[int, Meta(ge=20)] = 1000
    """Validation rows, half of them corrupted."""
    n_test: Annotated[int, Meta(ge=20)] = 1500
    """Test rows, half of them corrupted."""
    cost: Annotated[float, Meta(gt=0, lt=0.5)] = 0.1
    """Of an answer that is left out, where a wrong one costs 1."""

    def prepare(self, run: Setup) -> Case:
        """Split, corrupt and train.

        Raises:
            InvalidRun: there are not so many rows.
        """
        data = run.dataset(self.source)
        sizes = (self.n_train, self.n_val, self.n_test)
        if sum(sizes) > len(data.y):
            raise InvalidRun(
                f"n_train, n_val and n_test are {self.n_train}, {self.n_val} and {self.n_test}, "
                f"{sum(sizes)} together, and there are {len(data.y)} rows; ask for fewer"
            )
        order = run.numpy_generator("split").permutation(len(data.y))[: sum(sizes)]
        rows = torch.from_numpy(order).to(data.y.device)
        x = (data.x[rows].float() / self.brightest).split(sizes)
        y = data.y[rows].split(sizes)
        x_val, x_test = (
            half_corrupted(part, run.numpy_generator("corruption", name))
            for part, name in zip(x[1:], ("val", "test"), strict=True)
        )
        own = {"mlp": (256, 256), "cnn": (16, 32, 128)}[self.net]
        recipe = Recipe(net=self.net, widths=self.widths or own, epochs=self.epochs)
        problem = Problem(
            model=fixed_net(x[0], y[0], data.classes, recipe, run),
            x=x[0],
            y=y[0],
            x_val=x_val,
            y_val=y[1],
            n_classes=data.classes,
            cost=self.cost,
        )
        return Case(problems=[problem], hidden=Hidden(x_test=x_test, y_test=y[2]))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Hold scores against the net's errors."""
        problem, hidden, solution = case.problems[0], case.hidden, outcomes[0].solution
        wrong = errors(problem, hidden.x_test, hidden.y_test)
        if isinstance(solution, Told):
            scores, threshold = -wrong.astype(float), -0.5
        else:
            scores = rowwise(solution.score, hidden.x_test)[:, 0].double().cpu().numpy()
            threshold = getattr(solution, "threshold", None)
            if threshold is None:
                own = predict(solution.score, problem.x_val)[:, 0].double().cpu().numpy()
                found = errors(problem, problem.x_val, problem.y_val)
                threshold = cheapest(own, found, self.cost)
        lines = {"method": scores, "perfect": -wrong.astype(float)}
        return Score(
            metrics=judged(scores, wrong, threshold, self.cost),
            images={"risk": _risk_curves(lines, wrong)},
        )

    def tell_errors(self, problem: Problem, hidden: Hidden, run: Run) -> Told:
        """The upper reference: it is told which test rows the net gets wrong."""
        return Told(score=lambda x: torch.zeros(len(x), 1))


class Told(Solution):
    """Of a reference that is told which answers are wrong."""


def half_corrupted(x: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """Return pictures (n, ...) of which every second is corrupted, by a kind and at a severity of 1
    to 3 that are drawn for it.
    """
    found = x.clone()
    drawn = generator.integers(0, len(KINDS) * len(SEVERITIES), len(x))
    drawn[::2] = -1
    for number in np.unique(drawn[drawn >= 0]).tolist():
        rows = torch.from_numpy(np.flatnonzero(drawn == number)).to(x.device)
        kind, severity = KINDS[number // len(SEVERITIES)], SEVERITIES[number % len(SEVERITIES)]
        found[rows] = corrupt(x[rows], kind, severity, generator)
    return found


def errors(problem: Problem, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Return whether the net's answer to each row (n, ...) is wrong (n,), bool."""
    found: np.ndarray = (predict(problem.model, x).argmax(1) != y).cpu().numpy()
    return found


def _risk_curves(lines: dict[str, np.ndarray], wrong: np.ndarray) -> Any:
    """Draw the error among the rows kept over the share of rows kept."""
    share = 100 * np.arange(1, len(wrong) + 1) / len(wrong)
    found = {
        name: list(zip(share, 100 * risks(scores, wrong), strict=True))
        for name, scores in lines.items()
    }
    return curves(found, "Error among the rows kept", "rows kept, %", "error, %")
