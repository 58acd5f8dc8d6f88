"""What the tasks of the track share: the protocol, the curve, and the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.errors import BenchError
from bench.tracks.adversarial import AdversarialMethod, Problem, Solution, WarmUp
from bench.training import attacks
from bench.training.attacks import Ball
from bench.training.data import Examples, stratified_split
from bench.training.pictures import curves
from bench.training.state import predict
from bench.training.tiles import grid

from ._evaluation import attacked, figures, gates, percent, summary

_PROTOCOL = ("net", "epochs", "batch_size", "lr", "momentum", "weight_decay", "eps", "steps")
WATCHED = 200
"""Test rows that the curve looks at."""
EVERY = 5
"""Epochs from one look of the curve to the next."""


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees: the test rows, and training rows that it was not given."""

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    x_more: Annotated[torch.Tensor, Array("R", ..., dtype="float32", empty=True)]
    y_more: Annotated[torch.Tensor, Array("R", dtype="int64", ge=0, lt="C", empty=True)]


class AdversarialTask(Task):
    """Train on pictures in the unit cube; judge by the rows that no attack breaks."""

    source: ClassVar[str]
    """Name of the dataset."""
    brightest: ClassVar[float]
    """Largest value of a picture."""
    n_test: ClassVar[int]
    """Rows of the test part."""

    eps: Annotated[float, Meta(gt=0, le=1)] = 0.15
    """How far an attack may move each number of a picture, whose numbers are from 0 to 1."""
    steps: Annotated[int, Meta(ge=1)] = 10
    """Steps of the attacks of a training."""
    n_train: Annotated[int, Meta(ge=10)] = 700
    """Training rows, drawn class by class from those that are not test rows."""
    labelled: Annotated[int, Meta(ge=0)] = 0
    """Of these, so many have a label, and the others are offered without; 0: all have one."""
    net: Literal["mlp", "cnn", "resnet18", "preactresnet18"] = "mlp"
    """The net that all methods train."""
    widths: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers of ``mlp``."""
    epochs: Annotated[int, Meta(ge=1)] = 25
    """Passes over the labelled rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 64
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate after the first tenth of the steps, in which it rises from 0."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Momentum of SGD."""
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-4
    """Weight decay of SGD."""
    attack_steps: Annotated[int, Meta(ge=1)] = 50
    """Steps of the iterated attacks that judge."""
    queries: Annotated[int, Meta(ge=1)] = 300
    """Queries of the random search that judges."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows that is held out and attacked instead of the test rows: for
    choosing parameters.
    """

    def prepare(self, run: Setup) -> Case:
        """Split, and scale to the unit cube."""
        data: Examples = run.dataset(self.source)
        pool, test = self.parts(data, run)
        x, y = data.x.float() / self.brightest, data.y
        if self.n_train >= len(pool):
            raise BenchError(
                f"n_train={self.n_train} leaves none of the {len(pool)} rows that may be trained "
                f"on for the upper reference; take fewer than {len(pool)}."
            )
        more, rows = _split(y, pool, self.n_train, run.numpy_generator("split", "train"))
        known = rows
        if self.labelled:
            if not data.classes <= self.labelled < len(rows):
                raise BenchError(
                    f"labelled={self.labelled} is not between the {data.classes} classes and the "
                    f"{len(rows)} training rows; take a number in between, or 0 for all."
                )
            _, known = _split(y, rows, self.labelled, run.numpy_generator("split", "labelled"))
            more = np.setdiff1d(pool, known)
        rest = np.setdiff1d(rows, known)
        if self.holdout:
            count = max(data.classes, round(self.holdout * len(known)))
            known, test = _split(y, known, count, run.numpy_generator("split", "holdout"))
        problem = Problem(
            x=x[known],
            y=y[known],
            n_classes=data.classes,
            widths=self.widths if self.net == "mlp" else (),
            schedule=WarmUp(),
            unlabelled=x[rest] if len(rest) else None,
            **{name: getattr(self, name) for name in _PROTOCOL},
        )
        return Case(problems=[problem], hidden=Hidden(x[test], y[test], x[more], y[more]))

    def parts(self, data: Examples, run: Setup) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the rows that may be trained on, and of those to judge by."""
        return stratified_split(
            data.y.cpu().numpy(), self.n_test, run.numpy_generator("split", "test")
        )

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score every fifth epoch and the last one, clean and under PGD, on a part of the test
        rows.
        """
        if step % EVERY and step != self.epochs:
            return Watched({})
        x, y = case.hidden.x_test[:WATCHED], case.hidden.y_test[:WATCHED]
        at = attacks.pgd(
            model,
            attacks.cross_entropy(y),
            x,
            Ball(eps=self.eps),
            steps=10,
            step=self.eps / 4,
            lead=1,
        )
        return Watched(
            {
                "acc": percent(predict(model, x).argmax(-1) == y),
                "pgd10": percent(predict(model, at).argmax(-1) == y),
            }
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Attack the final model."""
        outcome, hidden = outcomes[0], case.hidden
        solution: Solution = outcome.solution
        found = attacked(
            solution.model,
            hidden.x_test,
            hidden.y_test,
            self.eps,
            run,
            steps=self.attack_steps,
            queries=self.queries,
        )
        if self.holdout:
            return Score(
                metrics={"robust_val": percent(found.robust)},
                not_rankable="scored on held-out training rows",
            )
        line = [point["pgd10"] for point in outcome.curve if "pgd10" in point]
        metrics = figures(found, hidden.y_test, case.problems[0].n_classes)
        metrics["robust_drop"] = max(line) - line[-1] if line else None
        return Score(
            metrics=metrics,
            gates=gates(found),
            images=self.pictures(found, solution.model, hidden.x_test, outcome.curve),
        )

    def pictures(
        self, found: Any, model: Any, x: torch.Tensor, curve: list[dict[str, Any]]
    ) -> dict[str, np.ndarray]:
        """Return rows that an attack breaks, with what it changes, and the curve."""
        rows, captions, columns = summary(found, model, x)
        names = {"acc": "accuracy without an attack", "pgd10": "under PGD"}
        return {
            "changes": grid(
                rows.cpu(),
                captions,
                columns=columns,
                title="Row, change times ten, and attacked row",
            ),
            "epochs": curves(
                {
                    title: [(point["step"], point[name]) for point in curve if name in point]
                    for name, title in names.items()
                },
                "",
                "epoch",
                "%",
            ),
        }

    def train_on_more(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: PGD training on these and all further training rows, labelled."""
        every = msgspec.structs.replace(
            problem,
            x=torch.cat([problem.x, hidden.x_more]),
            y=torch.cat([problem.y, hidden.y_more]),
            unlabelled=None,
        )
        found: Solution = AdversarialMethod().solve(every, run)
        return found


def _split(
    y: torch.Tensor, rows: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rows without and with ``count`` of them, drawn class by class."""
    rest, taken = stratified_split(y.cpu().numpy()[rows], count, generator)
    return rows[rest], rows[taken]
