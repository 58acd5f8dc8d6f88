"""What the tasks of the track share: the protocol, the curve and the scores of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench import Case, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.errors import InvalidRun
from bench.tracks.recipes import Problem, Recipe, Solution
from bench.training.data import Examples, standardised, stratified_split
from bench.training.state import predict

from ._scores import (
    CORRUPTED,
    Judged,
    accuracy,
    calibration,
    corrupted,
    fidelity,
    outliers,
    reliability,
    severities,
)
from ._split import level_split

_PROTOCOL = ("widths", "epochs", "batch_size", "lr", "momentum", "weight_decay")
"""Parameters that the problem takes over as they are."""


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees.

    Attributes:
        x_test: test rows, y_test: their labels.
        x_val: rows that the task fits a temperature on, y_val: their labels.
        x_more: rows of the upper reference, the training rows first; y_more: their labels.
        pictures: the test rows on [0, 1]; None: they are no pictures.
        x_out: pictures of no class, standardised; None: there are none.
        scale: mean and standard deviation of the training rows on [0, 1].
    """

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    x_val: Annotated[torch.Tensor, Array("V", ..., dtype="float32")]
    y_val: Annotated[torch.Tensor, Array("V", dtype="int64", ge=0, lt="C")]
    x_more: Annotated[torch.Tensor, Array("M", ..., dtype="float32")]
    y_more: Annotated[torch.Tensor, Array("M", dtype="int64", ge=0, lt="C")]
    pictures: Annotated[torch.Tensor | None, Array("T", ..., dtype="float32")] = None
    x_out: Annotated[torch.Tensor | None, Array("O", ..., dtype="float32")] = None
    scale: tuple[float, float] = (0.0, 1.0)


class RecipeTask(Task):
    """Train on few rows of each class; judge on the test part."""

    n_train: Annotated[int, Meta(ge=1)] = 200
    """Training rows, as many of each class."""
    widths: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers of the net."""
    epochs: Annotated[int, Meta(ge=1)] = 200
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 32
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate at the start; half a cosine takes it to 0."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Momentum of SGD."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Weight decay of SGD."""

    def problem(self, x: torch.Tensor, y: torch.Tensor, classes: int) -> Problem:
        """Return what methods see of training rows ``x`` (N, ...) with labels ``y`` (N,)."""
        protocol = {name: getattr(self, name) for name in _PROTOCOL}
        return Problem(x=x, y=y, n_classes=classes, **protocol)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score some epochs on the test rows: ten of them, evenly spread, and the last."""
        if step % max(1, self.epochs // 10) and step != self.epochs:
            return Watched({})
        return Watched({"acc": accuracy(predict(model, case.hidden.x_test), case.hidden.y_test)})

    def judged(
        self, case: Case, solution: Solution
    ) -> tuple[dict[str, float | None], torch.Tensor, Judged]:
        """Return the figures that all tasks have, the logits of the test rows (T, C), and how they
        are calibrated.
        """
        hidden, problem = case.hidden, case.problems[0]
        logits = predict(solution.model, hidden.x_test)
        judged = calibration(
            logits, hidden.y_test, predict(solution.model, hidden.x_val), hidden.y_val
        )
        acc = accuracy(logits, hidden.y_test)
        metrics = {
            "acc": acc,
            "train_gap": accuracy(predict(solution.model, problem.x), problem.y) - acc,
            **judged.metrics,
            **fidelity(logits, solution.teacher, hidden.x_test),
        }
        return metrics, logits, judged

    def train_on_more_rows(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the baseline on more rows, as many epochs."""
        more = msgspec.structs.replace(problem, x=hidden.x_more, y=hidden.y_more)
        found: Solution = Recipe().solve(more, run)
        return found


class PictureTask(RecipeTask):
    """Few pictures of each class; corruptions and outliers beside the test part."""

    source: ClassVar[str]
    """Name of the dataset."""
    n_test: ClassVar[int]
    """Rows of the test part."""
    n_val: ClassVar[int] = 400
    """Hidden rows that the task fits a temperature on."""
    top: ClassVar[float] = 255.0
    """The brightest grey value."""

    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows that is held out and scored instead of the test part: for choosing
    parameters.
    """

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return the rows that may be trained on, and the test rows."""
        data = run.dataset(self.source)
        pool, test = stratified_split(
            data.y.cpu().numpy(), self.n_test, run.numpy_generator("split", "test")
        )
        return tuple(
            Examples(data.x[rows], data.y[rows], data.classes)
            for rows in map(torch.from_numpy, (pool, test))
        )

    def prepare(self, run: Setup) -> Case:
        """Draw training, validation and test rows, and standardise them by the training rows.

        Raises:
            InvalidRun: there are not so many rows.
        """
        pool, test = self.parts(run)
        y = pool.y.cpu().numpy()
        most = len(y) - self.n_val - 1
        if self.n_train > most:
            raise InvalidRun(
                f"{self.card.name} has n_train={self.n_train}, but {self.source} leaves {most} "
                f"rows for training beside {self.n_val} for validation; give n_train of at most "
                f"{most}."
            )
        generator = run.numpy_generator("split", "train")
        rest, train = level_split(y, self.n_train, generator)
        others, val = (rest[part] for part in stratified_split(y[rest], self.n_val, generator))
        # the rows of the temperature come last, so that the upper reference takes them last
        more = np.concatenate([train, generator.permutation(others), val])[: 5 * self.n_train]
        first, tuned, all_rows = map(torch.from_numpy, (train, val, more))
        greys = pool.x.float() / self.top
        pictures = test.x.float() / self.top
        outside = self.outside(run, pictures)
        x, x_val, x_more, x_test, x_out = standardised(
            greys[first], greys[tuned], greys[all_rows], pictures, outside
        )
        own = greys[first]
        hidden = Hidden(
            x_test=x_test,
            y_test=test.y,
            x_val=x_val,
            y_val=pool.y[tuned],
            x_more=x_more,
            y_more=pool.y[all_rows],
            pictures=pictures,
            x_out=x_out,
            scale=(float(own.mean()), float(own.std())),
        )
        problem = self.problem(x, pool.y[first], pool.classes)
        case = Case(problems=[problem], hidden=hidden)
        return self.held_out(case, run) if self.holdout else case

    def outside(self, run: Setup, like: torch.Tensor) -> torch.Tensor:
        """Return 500 pictures of no class on [0, 1], of the shape of ``like`` (n, channels, H,
        W).
        """
        patches = run.dataset("patches").x.float() / 255
        rows = run.numpy_generator("eval", "patches").permutation(len(patches))[:500]
        chosen = patches[torch.from_numpy(rows)]
        return F.interpolate(chosen, like.shape[-2:], mode="area").expand(-1, like.shape[1], -1, -1)

    def held_out(self, case: Case, run: Setup) -> Case:
        """Return a case of the training rows alone, some of which the others are judged by."""
        problem = case.problems[0]
        given = problem.y.cpu().numpy()
        kept, held = (
            torch.from_numpy(part)
            for part in stratified_split(
                given,
                max(1, round(self.holdout * len(given))),
                run.numpy_generator("split", "holdout"),
            )
        )
        x, y = problem.x[held], problem.y[held]
        hidden = Hidden(x, y, x, y, problem.x[kept], problem.y[kept])
        rest = msgspec.structs.replace(problem, x=problem.x[kept], y=problem.y[kept])
        return Case(problems=[rest], hidden=hidden)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model on the test rows, on corrupted ones and on outliers."""
        solution, hidden = outcomes[0].solution, case.hidden
        if self.holdout:
            return Score(
                metrics={
                    "acc_val": accuracy(predict(solution.model, hidden.x_test), hidden.y_test)
                },
                not_rankable="scored on held-out training rows",
            )
        metrics, logits, judged = self.judged(case, solution)
        # evenly through the test rows, which may be sorted by class
        count = min(CORRUPTED, len(hidden.y_test))
        rows = torch.arange(count) * len(hidden.y_test) // count
        found = corrupted(
            solution.model, hidden.pictures[rows], hidden.y_test[rows], hidden.scale, run
        )
        metrics["acc_corrupt"] = float(np.mean(list(found.values())))
        metrics["ood_auroc"] = outliers(logits, predict(solution.model, hidden.x_out))
        return Score(
            metrics=metrics,
            arrays={"severities": np.array(list(found.values()))},
            images={
                "reliability": reliability(judged),
                "severities": severities(found, metrics["acc"]),
            },
        )
