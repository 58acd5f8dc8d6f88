"""What the tasks of the track share: a pool, its oracle, watching, scoring, references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.active_learning import Ledger, Oracle, Problem, Solution
from bench.training.pictures import curves
from bench.training.rowwise import rowwise
from bench.training.state import predict
from bench.training.tiles import grid

from ._metrics import accuracy, interval, labels_to, log_rmse, rmse
from ._references import on_all_labels, without_outliers

_SHOWN = 40
"""Rows asked that the strip of pictures shows."""


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Rows before anything is hidden.

    Attributes:
        x: standardised inputs (N, ...).
        answers: what the oracle says: labels (N,), probabilities (N, C), or numbers (N,).
        true: true labels (N,), -1 for a row that has none, or numbers.
        stranger: rows that the control leaves out (N,), bool: outliers, wrong answers or whole
            sources; None: there are none.
        x_test: inputs of the test rows (T, ...).
        y_test: their targets (T,).
        shown: the rows as pictures (N, 1 or 3, H, W); None: they are none.
    """

    x: torch.Tensor
    answers: torch.Tensor
    true: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    stranger: torch.Tensor | None = None
    shown: torch.Tensor | None = None


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        ledger: the targets, and what was asked of them.
        x_test: inputs (T, ...), float32.
        y_test: their labels or numbers (T,).
        true: true labels of the pool (N,), -1 for a row that has none, or numbers.
        stranger: rows that the control leaves out (N,), bool.
        shown: the rows as pictures (N, 1 or 3, H, W).
    """

    ledger: Ledger
    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64"), Array("T", dtype="float32")]
    true: Annotated[torch.Tensor, Array("N", dtype="int64", ge=-1), Array("N", dtype="float32")]
    stranger: Annotated[torch.Tensor | None, Array("N", dtype="bool")] = None
    shown: torch.Tensor | None = None


class ActiveTask(Task):
    """Hands out a pool and an oracle; judged by test rows after the start and after every round."""

    accepts: ClassVar = Solution
    kind: ClassVar[Literal["labels", "numbers"]] = "labels"
    outputs: ClassVar[int] = 10

    start: Annotated[int, Meta(ge=1)] = 20
    """Rows known from the start, drawn at random from those with a right answer."""
    a_class: Annotated[int, Meta(ge=0)] = 0
    """Where it is above 0: so many rows of each class are the start, whatever ``start`` says."""
    batch: Annotated[int, Meta(ge=1)] = 20
    """Rows asked in a round."""
    budget: Annotated[int, Meta(ge=0)] = 140
    """Rows asked in all rounds together."""
    net: Literal["mlp", "cnn", "resnet18"] = "mlp"
    """The net that all methods train."""
    widths: tuple[int, ...] = (128,)
    """Widths of the hidden layers of ``mlp``, or channels of a convolutional net."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.25
    """Share of the last layer's inputs that a step drops."""
    steps: Annotated[int, Meta(ge=1)] = 120
    """Updates of a training."""
    batch_size: Annotated[int, Meta(ge=1)] = 64
    """Rows of an update."""
    optimiser: Literal["sgd", "adam"] = "sgd"
    """SGD with momentum, or Adam."""
    lr: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate at the start."""
    schedule: Literal["cosine", "linear"] = "cosine"
    """How the rate falls to 0."""
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-4
    """Added to the gradient."""

    def pool(self, run: Setup) -> Pool:
        """Return the rows."""
        raise TypeError(f"{type(self).__name__} has no pool; write one.")

    def prepare(self, run: Setup) -> Case:
        """Draw the pool, put it in an order that says nothing, and set up its oracle."""
        pool = _shuffled(self.pool(run), run.numpy_generator("corruption", "order"))
        known = self._start(pool, run.numpy_generator("split", "start")).to(pool.x.device)
        free = len(pool.x) - len(known)
        if self.budget > free:
            raise InvalidRun(
                f"budget is {self.budget}, and {free} of the pool's {len(pool.x)} rows are not "
                f"known from the start; give at most budget={free}"
            )
        ledger = Ledger(pool.answers, known, self.budget)
        soft = pool.answers.dim() == 2
        problem = Problem(
            x=pool.x,
            n_outputs=self.outputs,
            kind="probabilities" if soft else self.kind,
            start=known,
            oracle=Oracle(ledger),
            classes=self.outputs if self.kind == "labels" else None,
            **self._protocol(),
        )
        names = ("x_test", "y_test", "true", "stranger", "shown")
        hidden = Hidden(ledger=ledger, **{name: getattr(pool, name) for name in names})
        return Case(problems=[problem], hidden=hidden)

    def _protocol(self) -> dict[str, Any]:
        names = ("budget", "batch", "net", "widths", "dropout", "steps", "batch_size")
        more = ("optimiser", "lr", "schedule", "weight_decay")
        return {name: getattr(self, name) for name in (*names, *more)}

    def _start(self, pool: Pool, drawn: np.random.Generator) -> torch.Tensor:
        """Return the rows known from the start (n,)."""
        usable = np.ones(len(pool.x), dtype=bool)
        if pool.stranger is not None:
            usable = ~pool.stranger.cpu().numpy()
        order = drawn.permutation(np.flatnonzero(usable))
        if not self.a_class:
            if len(order) < self.start:
                raise InvalidRun(
                    f"start is {self.start}, and {len(order)} rows of the pool may be known from "
                    f"the start; give at most start={len(order)}"
                )
            return torch.from_numpy(order[: self.start])
        if self.kind == "numbers":
            raise InvalidRun(
                f"a_class is {self.a_class}, and the targets are numbers; give start instead"
            )
        labels = pool.true.cpu().numpy()[order]
        parts = [order[labels == label][: self.a_class] for label in range(self.outputs)]
        return torch.from_numpy(np.concatenate(parts))

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score a report of a model that knows ``step`` labels."""
        problem, hidden = case.problems[k], case.hidden
        with hidden.ledger.looking(step):
            said = predict(model, hidden.x_test).cpu().numpy()
        y = hidden.y_test.cpu().numpy()
        if problem.kind == "numbers":
            return Watched({"rmse": rmse(said[:, 0], y)})
        return Watched({"acc": accuracy(said, y), "outliers_asked": _outliers(hidden)})

    def reveal(self, case: Case, run: Setup) -> None:
        """Close the oracle."""
        case.hidden.ledger.close()

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the curve and the final model, and hold the answer against the ledger."""
        problem, hidden, outcome = case.problems[0], case.hidden, outcomes[0]
        ledger: Ledger = hidden.ledger
        ledger.settle(outcome.solution.rows)
        steps = tuple(entry["step"] for entry in outcome.curve)
        if steps != problem.marks:
            raise InvalidRun(
                f"models were reported at {_some(steps)} labels, and the curve is made of those at "
                f"{_some(problem.marks)}; report once after the start and after each round"
            )
        said = rowwise(outcome.solution.model, hidden.x_test).cpu().numpy()
        y = hidden.y_test.cpu().numpy()
        numbers = problem.kind == "numbers"
        metrics: dict[str, float | None] = {"choose_s": ledger.choosing}
        if numbers:
            errors = [entry["rmse"] for entry in outcome.curve]
            metrics["log_rmse"] = log_rmse(errors[1:] or errors)
            metrics["rmse_curve"] = float(np.exp(metrics["log_rmse"]))
            metrics["rmse_final"] = rmse(said[:, 0], y)
        else:
            metrics["curve"] = float(np.mean([entry["acc"] for entry in outcome.curve]))
            metrics["acc_final"] = accuracy(said, y)
            metrics["labels_to_95"] = labels_to(outcome.curve)
            metrics["outliers_asked"] = _outliers(hidden)
        images = {"curve": _drawn(outcome.curve, len(y), numbers)}
        if hidden.shown is not None and ledger.rows:
            first = torch.tensor(ledger.rows[:_SHOWN])
            captions = [_caption(row) for row in hidden.true[first].tolist()]
            images["asked"] = grid(
                hidden.shown[first].cpu().numpy(), captions, columns=10, title="Rows asked first"
            )
        arrays = {
            "asked": np.asarray(ledger.rows, dtype=np.int64),
            "request": np.asarray(ledger.requests, dtype=np.int64),
            "asked_s": np.asarray(ledger.seconds, dtype=np.float64),
        }
        return Score(metrics=metrics, images=images, arrays=arrays)

    def all_labels(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the net of all rows that have a target."""
        return on_all_labels(problem, hidden.true, run)

    def outlier_free(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The control: entropy on the rows with a right answer alone."""
        return without_outliers(problem, hidden.stranger, run)


def _caption(target: float) -> str:
    """Return a label, or a number."""
    if isinstance(target, float):
        return f"{target:.2f}"
    return str(target) if target >= 0 else "none"


def _outliers(hidden: Hidden) -> float | None:
    """Return the share of the questions that went to strangers, in percent."""
    if hidden.stranger is None or not hidden.ledger.rows:
        return None
    return 100 * float(hidden.stranger[torch.tensor(hidden.ledger.rows)].float().mean())


def _drawn(curve: Sequence[dict[str, Any]], rows: int, numbers: bool) -> np.ndarray:
    """Draw the learning curve, an accuracy with its interval over the test rows."""
    if numbers:
        line = [(entry["step"], entry["rmse"]) for entry in curve]
        return curves({"rmse": line}, "Test rows against known targets", "targets", "rmse")
    lines: dict[str, list[tuple[float, float | None]]] = {
        "accuracy": [(entry["step"], entry["acc"]) for entry in curve]
    }
    ends = [interval(entry["acc"], rows) for entry in curve]
    for place, name in enumerate(("95 % from", "95 % to")):
        pairs = zip(curve, ends, strict=True)
        lines[name] = [(entry["step"], end[place]) for entry, end in pairs]
    if any(entry.get("outliers_asked") is not None for entry in curve):
        lines["outliers asked"] = [(entry["step"], entry["outliers_asked"]) for entry in curve]
    return curves(lines, "Test rows against known labels", "labels", "%")


def _some(steps: Sequence[int]) -> str:
    """Name steps, the first and last of many."""
    if len(steps) > 4:
        return f"{steps[0]}, {steps[1]}, ... {steps[-1]}"
    return ", ".join(map(str, steps)) or "no"


def _shuffled(pool: Pool, drawn: np.random.Generator) -> Pool:
    """Return the rows in an order of their own: some datasets are sorted by label."""
    order = torch.from_numpy(drawn.permutation(len(pool.x))).to(pool.x.device)
    own = {name: getattr(pool, name) for name in ("x", "answers", "true", "stranger", "shown")}
    moved = {name: part[order] for name, part in own.items() if part is not None}
    return msgspec.structs.replace(pool, **moved)
