"""What the tasks of the track share: small digits, the attack, and the scores."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench import Case, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.errors import BenchError
from bench.runs.guard import fingerprint
from bench.tracks.poisoning import PoisoningMethod, Problem, Solution
from bench.training import triggers
from bench.training.calibration import auroc
from bench.training.data import Examples, stratified_split
from bench.training.pictures import curves
from bench.training.poison import Poisoned, Surrogate
from bench.training.state import predict
from bench.training.tiles import grid

_PROTOCOL = ("net", "widths", "epochs", "batch_size", "lr")
SHOWN = 8
"""Rows of the picture of changes."""


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees: the rows before the attack, which ones it touched, and the test rows."""

    x_clean: Annotated[torch.Tensor, Array("N", ..., dtype="float32", ge=0, le=1)]
    y_clean: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    touched: Annotated[torch.Tensor, Array("N", dtype="bool")]
    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32", ge=0, le=1)]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]


class PoisoningTask(Task):
    """Digits of 14x14 pixels in the unit cube, touched by an attacker before a method sees them."""

    n_test: ClassVar[int] = 1000
    """Rows of the test part."""
    triggers: ClassVar[bool] = False
    """Whether test rows are shown with the trigger as well."""

    n_train: Annotated[int, Meta(ge=20)] = 1000
    """Training rows, drawn class by class from those that are not test rows."""
    net: Literal["mlp", "cnn"] = "mlp"
    """The net that all methods train."""
    widths: tuple[int, ...] = (256,)
    """Widths of its hidden layers or stages."""
    epochs: Annotated[int, Meta(ge=1)] = 10
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 64
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate at the start, of SGD with momentum .9; it falls on half a cosine."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows that is held out before the attack and scored instead of the test
    rows: for choosing parameters.
    """

    @property
    def recipe(self) -> dict[str, Any]:
        """What the attack depends on besides the rows, as plain data."""
        raise NotImplementedError

    @property
    def told(self) -> dict[str, float]:
        """What methods may ask for."""
        raise NotImplementedError

    def attack(self, x: torch.Tensor, y: torch.Tensor, run: Run) -> Poisoned:
        """Return rows (N, 1, 14, 14) with labels (N,) after the attack."""
        raise NotImplementedError

    def surrogate(self) -> Surrogate:
        """Return the attacker's net: one like the methods'."""
        return Surrogate(net=self.net, widths=self.widths, n_classes=10, lr=self.lr)

    def prepare(self, run: Setup) -> Case:
        """Draw the rows, and attack those to train on, once for all methods of a seed."""
        data: Examples = run.dataset("mnist5k")
        x, y = F.avg_pool2d(data.x.float() / 255, 2), data.y
        pool, test = stratified_split(
            y.cpu().numpy(), self.n_test, run.numpy_generator("split", "test")
        )
        if self.n_train >= len(pool):
            raise BenchError(
                f"n_train={self.n_train} is not below the {len(pool)} rows that are not test rows; "
                "take fewer."
            )
        rows = _taken(y, pool, self.n_train, run.numpy_generator("split", "train"))
        if self.holdout:
            count = max(data.classes, round(self.holdout * len(rows)))
            test = _taken(y, rows, count, run.numpy_generator("split", "holdout"))
            rows = np.setdiff1d(rows, test)
        # the dataset is sorted by label, and the place of a row must not say what its label was
        rows = run.numpy_generator("split", "order").permutation(rows)
        clean = Poisoned(x=x[rows], y=y[rows], touched=y[rows] < 0)
        found, _ = run.cached(
            {
                "attacked": self.card.name,
                "seed": run.seed,
                "rows": fingerprint(clean),
                **{name: str(value) for name, value in self.recipe.items()},
            },
            functools.partial(_attacked, self, clean),
        )
        problem = Problem(
            x=found["x"],
            y=found["y"],
            n_classes=data.classes,
            **self.told,
            **{name: getattr(self, name) for name in _PROTOCOL},
        )
        hidden = Hidden(
            x_clean=clean.x,
            y_clean=clean.y,
            touched=found["touched"],
            x_test=x[test],
            y_test=y[test],
        )
        return Case(problems=[problem], hidden=hidden)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch on clean test rows."""
        right = predict(model, case.hidden.x_test).argmax(-1) == case.hidden.y_test
        return Watched({"acc": percent(right)})

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model on clean rows, and its triggers where there are any."""
        outcome, hidden, problem = outcomes[0], case.hidden, case.problems[0]
        solution: Solution = outcome.solution
        logits = predict(solution.model, hidden.x_test)
        acc = percent(logits.argmax(-1) == hidden.y_test)
        if self.holdout:
            return Score(metrics={"acc_val": acc}, not_rankable="scored on held-out training rows")
        trained = predict(solution.model, problem.x).argmax(-1)
        metrics: dict[str, float | None] = {
            "acc": acc,
            "nll": float(F.cross_entropy(logits.double(), hidden.y_test)),
            "train_acc": percent(trained == problem.y),
            "caught": caught(solution.suspect, hidden.touched),
        }
        if self.triggers:
            metrics["asr"] = obeyed(solution.model, hidden.x_test, hidden.y_test)
            metrics["kept"] = acc - metrics["asr"]
        line = [(point["step"], point["acc"]) for point in outcome.curve]
        images = {"epochs": curves({"clean test rows": line}, "", "epoch", "% right")}
        return Score(metrics=metrics, images={"changes": changes(problem, hidden), **images})

    def train_on_clean(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: cross entropy on the rows before the attack."""
        clean = msgspec.structs.replace(problem, x=hidden.x_clean, y=hidden.y_clean)
        found: Solution = PoisoningMethod().solve(clean, run)
        return found


def _attacked(task: PoisoningTask, clean: Poisoned, run: Run) -> dict[str, torch.Tensor]:
    found = task.attack(clean.x, clean.y, run)
    return {"x": found.x, "y": found.y, "touched": found.touched}


def _taken(
    y: torch.Tensor, rows: np.ndarray, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Return ``count`` of the rows, drawn class by class."""
    _, taken = stratified_split(y.cpu().numpy()[rows], count, generator)
    return rows[taken]


def percent(rows: torch.Tensor) -> float:
    """Return the share of the rows (n,) that are true, in percent."""
    return 100 * float(rows.double().mean())


def obeyed(model: Any, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share, in percent, of the pictures (n, 1, height, width) that the trigger turns
    into its target; those with the target's label (n,) are left out.
    """
    others = x[y != triggers.TARGET]
    return percent(predict(model, triggers.patched(others)).argmax(-1) == triggers.TARGET)


def caught(suspect: torch.Tensor | None, touched: torch.Tensor) -> float | None:
    """Return the area under the ROC curve of suspicions (N,), in percent; None where there are
    none, or all or no rows are touched (N,). Ties count half.
    """
    if suspect is None or int(touched.sum()) in (0, len(touched)):
        return None
    return auroc(suspect[touched], suspect[~touched])


def changes(problem: Problem, hidden: Hidden) -> np.ndarray:
    """Return touched rows: before the attack, what it changes times ten, and after it."""
    rows = hidden.touched.nonzero()[:, 0]
    rows = rows[:: max(1, len(rows) // SHOWN)][:SHOWN]
    before, after = hidden.x_clean[rows], problem.x[rows]
    change = (0.5 + 5 * (after - before)).clamp(0, 1)
    said = [f"label {label}" for label in problem.y[rows].tolist()]
    was = [f"is {label}" for label in hidden.y_clean[rows].tolist()]
    return grid(
        torch.cat([before, change, after]).cpu(),
        was + ["change"] * len(rows) + said,
        columns=max(1, len(rows)),
        title="Row, change times ten, and row after the attack",
    )
