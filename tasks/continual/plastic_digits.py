"""The same rows again and again, with other labels or other pixels each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import (
    Case,
    Meta,
    Metric,
    Outcome,
    Preset,
    Reference,
    Score,
    Setup,
    Task,
    TaskCard,
    Watched,
)
from bench.declared import Array
from bench.errors import BenchError
from bench.tracks.continual import Problem, Solution, Stream
from bench.training.data import Examples, standardised
from bench.training.pictures import curves
from bench.training.state import predict

CLASSES = 10


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What the task judges by: the rows of every task.

    Attributes:
        x_test: inputs (T, n, ...), float32.
        y_test: labels (T, n).
    """

    x_test: Annotated[torch.Tensor, Array("T", "n", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", "n", dtype="int64", ge=0, lt=10)]


class PlasticDigits(Task):
    """Does a net that has learned much still learn as well as a fresh one?"""

    card: ClassVar = TaskCard(
        name="plastic-digits",
        title="Digits with new labels or new pixels, again and again",
        track="continual",
        datasets=("digits",),
        metrics=(
            Metric(
                name="plastic",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="accuracy on the rows of a task, mean over the last quarter of the tasks: at "
                "the task's end, with permuted pixels before each pass",
            ),
            Metric(
                name="early",
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="the same over the first quarter",
            ),
            Metric(
                name="drop",
                direction="min",
                unit="%",
                bounds=(-100, 100),
                title="first quarter minus last quarter",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"random-labels": {}},
                params={"tasks": 4, "rows": 40, "epochs": 2},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "random-labels": {},
                    "permuted": {"kind": "permuted", "epochs": 4},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="16 passes over 160 rows a task (permuted: 4), batches of 16",
        references=(Reference(name="naive", kind="low"), Reference(name="reset", kind="high")),
    )
    accepts: ClassVar = Solution

    kind: Literal["random-labels", "permuted"] = "random-labels"
    """What is new in a task: the labels, drawn uniformly, or the order of pixels."""
    tasks: Annotated[int, Meta(ge=4)] = 30
    """Tasks."""
    rows: Annotated[int, Meta(ge=10, le=1700)] = 160
    """Rows, the same in every task."""
    epochs: Annotated[int, Meta(ge=1)] = 16
    """Passes over a task's rows."""
    widths: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers."""
    batch_size: Annotated[int, Meta(ge=1)] = 16
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Rate of Adam."""

    def prepare(self, run: Setup) -> Case:
        """Draw rows, and of every task labels or an order of pixels."""
        data: Examples = run.dataset("digits")
        if self.rows > len(data.y):
            raise BenchError(f"rows={self.rows}, but there are {len(data.y)} digits; take fewer.")
        chosen = run.numpy_generator("split", "rows").permutation(len(data.y))[: self.rows]
        taken = torch.from_numpy(chosen).to(run.device)
        (x,) = standardised(data.x.to(run.device)[taken])
        x, y = x.flatten(1), data.y.to(run.device)[taken]
        generator = run.numpy_generator("split", "tasks")
        inputs, labels, orders = [], [], []
        for t in range(self.tasks):
            if self.kind == "permuted":
                inputs.append(
                    x[:, torch.from_numpy(generator.permutation(x.shape[1])).to(run.device)]
                )
                labels.append(y.clone())
            else:
                inputs.append(x.clone())
                labels.append(torch.from_numpy(generator.integers(CLASSES, size=self.rows)))
            order = run.numpy_generator("order", t)
            passes = [order.permutation(self.rows) for _ in range(self.epochs)]
            orders.append(torch.from_numpy(np.stack(passes)).to(run.device))
        inputs = [own.to(run.device) for own in inputs]
        labels = [own.to(run.device) for own in labels]
        problem = Problem(
            stream=Stream(inputs, labels, orders, self.batch_size),
            n_classes=CLASSES,
            tasks=self.tasks,
            widths=self.widths,
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimiser="adam",
            lr=self.lr,
            watched="passes" if self.kind == "permuted" else "tasks",
        )
        return Case(
            problems=[problem],
            hidden=Hidden(x_test=torch.stack(inputs), y_test=torch.stack(labels)),
        )

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score the task that ends, or that the next pass is over."""
        task = step - 1 if self.kind == "random-labels" else (step - 1) // self.epochs
        if not 0 <= task < self.tasks:
            return Watched({})
        said = predict(model, case.hidden.x_test[task]).argmax(1)
        return Watched({"acc": 100 * float((said == case.hidden.y_test[task]).double().mean())})

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the reports."""
        share = 1 if self.kind == "random-labels" else self.epochs
        found: list[list[float]] = [[] for _ in range(self.tasks)]
        for point in outcomes[0].curve:
            task = (int(point["step"]) - 1) // share
            if 0 <= task < self.tasks and point.get("acc") is not None:
                found[task].append(float(point["acc"]))
        if any(len(own) != share for own in found):
            return Score(metrics={"plastic": None})
        by_task = np.array(found).mean(1)
        quarter = max(1, self.tasks // 4)
        early, late = float(by_task[:quarter].mean()), float(by_task[-quarter:].mean())
        line = list(zip(range(1, self.tasks + 1), by_task.tolist(), strict=True))
        return Score(
            metrics={"plastic": late, "early": early, "drop": early - late},
            arrays={"by_task": by_task},
            images={"tasks": curves({"accuracy": line}, "", "task", "accuracy (%)")},
        )
