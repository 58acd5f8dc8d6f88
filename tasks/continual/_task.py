"""What tasks share in which classes come two by two: the stream, the reports, the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.errors import BenchError
from bench.tracks.continual import ContinualMethod, Problem, Solution, Stream
from bench.training.data import Examples, standardised
from bench.training.memory import Store
from bench.training.state import predict

from ._metrics import matrix_of, of_matrix, pictures

CLASSES = 10


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        x_test: rows to judge by (m, ...), float32.
        y_test: their labels (m,).
        task: the task of each class (10,).
        whole: all rows of the stream (N, ...), for the upper reference.
        labels: their labels (N,).
    """

    x_test: Annotated[torch.Tensor, Array("m", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("m", dtype="int64", ge=0, lt=10)]
    task: Annotated[torch.Tensor, Array(10, dtype="int64", ge=0)]
    whole: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    labels: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt=10)]


class SplitTask(Task):
    """Ten classes, some at a time, in an order of the seed's."""

    accepts: ClassVar = Solution
    source: ClassVar[str]
    """The dataset."""

    a_class: Annotated[int, Meta(ge=2)] = 120
    """Training rows of each class."""
    tasks: Annotated[int, Meta(ge=1, le=10)] = 5
    """Tasks, of equally many classes."""
    epochs: Annotated[int, Meta(ge=1)] = 1
    """Passes over a task's rows."""
    memory: Annotated[int, Meta(ge=0)] = 100
    """Rows that a method with a store may keep."""
    widths: tuple[int, ...] = (256,)
    """Widths of the hidden layers."""
    batch_size: Annotated[int, Meta(ge=1)] = 10
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Rate of SGD."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows of each class that is held out and scored instead of the test
    rows: for choosing parameters.
    """

    def prepare(self, run: Setup) -> Case:
        """Draw the rows of each class, the order of classes and that of rows."""
        if CLASSES % self.tasks:
            raise BenchError(
                f"tasks={self.tasks} does not divide {CLASSES} classes; take 1, 2, 5 or 10."
            )
        data: Examples = run.dataset(self.source)
        y = data.y.cpu().numpy()
        generator = run.numpy_generator("split", "rows")
        rows = [generator.permutation(np.flatnonzero(y == c)) for c in range(CLASSES)]
        least = min(len(own) for own in rows)
        if self.a_class >= least:
            raise BenchError(
                f"a_class={self.a_class} leaves no test row of a class of {least}; take less."
            )
        kept = self.a_class - round(self.holdout * self.a_class)
        if not 0 < kept or (self.holdout and kept == self.a_class):
            raise BenchError(
                f"holdout={self.holdout} of a_class={self.a_class} rows leaves {kept} to train on "
                f"and {self.a_class - kept} to judge by; take another share."
            )
        train = np.stack([own[:kept] for own in rows])
        judged = np.concatenate(
            [own[kept : self.a_class] if self.holdout else own[self.a_class :] for own in rows]
        )
        task = np.empty(CLASSES, dtype=np.int64)
        classes = run.numpy_generator("split", "classes").permutation(CLASSES)
        task[classes] = np.arange(CLASSES) // (CLASSES // self.tasks)
        device = run.device
        told, pixels, known = (
            torch.from_numpy(task).to(device),
            data.x.to(device),
            data.y.to(device),
        )
        own, others = (torch.from_numpy(rows).to(device) for rows in (train.reshape(-1), judged))
        x, x_test = standardised(pixels[own], pixels[others])
        labels = known[own]
        places = [(told[labels] == t).nonzero()[:, 0] for t in range(self.tasks)]
        stream = Stream(
            [x[rows] for rows in places],
            [labels[rows] for rows in places],
            [
                _orders(run.numpy_generator("order", t), self.epochs, len(rows)).to(device)
                for t, rows in enumerate(places)
            ],
            self.batch_size,
        )
        problem = Problem(
            stream=stream,
            n_classes=CLASSES,
            tasks=self.tasks,
            widths=self.widths,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            memory=Store(self.memory),
            task_id=told.clone(),
        )
        hidden = Hidden(
            x_test=x_test,
            y_test=known[others],
            task=told,
            whole=x,
            labels=labels,
        )
        return Case(problems=[problem], hidden=hidden)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score every task, and count what the store holds of each."""
        scores: dict[str, float | None] = {
            f"acc_{i + 1}": value for i, value in enumerate(self._by_task(case, model))
        }
        store = case.problems[k].memory
        if store is not None and store.peak:
            held = case.hidden.task[store.labels[store.labels >= 0]].bincount(minlength=self.tasks)
            scores |= {f"stored_{i + 1}": float(count) for i, count in enumerate(held.tolist())}
        return Watched(scores)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model, and what was reported on the way."""
        model, hidden, store = outcomes[0].solution.model, case.hidden, case.problems[0].memory
        acc = float(np.mean(self._by_task(case, model)))
        if self.holdout:
            return Score(metrics={"acc_val": acc}, not_rankable="scored on held-out training rows")
        curve = outcomes[0].curve
        matrix = matrix_of(curve, self.tasks)
        stored = np.zeros_like(matrix)
        for point in curve:
            if 1 <= point["step"] <= self.tasks:
                own = [point.get(f"stored_{i + 1}") or 0.0 for i in range(self.tasks)]
                stored[int(point["step"]) - 1] = own
        logits = predict(model, hidden.x_test)
        others = hidden.task[None] != hidden.task[hidden.y_test][:, None]
        among = logits.masked_fill(others, -torch.inf).argmax(1) == hidden.y_test
        return Score(
            metrics={
                "acc": acc,
                **of_matrix(matrix),
                "acc_task": 100 * float(among.double().mean()),
                "stored": float(store.peak) if store is not None else 0.0,
            },
            arrays={"matrix": matrix},
            images=pictures(matrix, stored, self.memory if store is not None else 0),
        )

    def _by_task(self, case: Case, model: Any) -> list[float]:
        hidden: Hidden = case.hidden
        right = (predict(model, hidden.x_test).argmax(1) == hidden.y_test).double()
        own = hidden.task[hidden.y_test]
        return [100 * float(right[own == t].mean()) for t in range(self.tasks)]

    def train_jointly(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: naive training on all rows in random order, as many updates."""
        orders = _orders(run.numpy_generator("order", "joint"), self.epochs, len(hidden.labels))
        stream = Stream(
            [hidden.whole.clone()],
            [hidden.labels.clone()],
            [orders.to(hidden.labels.device)],
            self.batch_size,
        )
        found: Solution = ContinualMethod().solve(
            msgspec.structs.replace(problem, stream=stream), run
        )
        return found


def _orders(generator: np.random.Generator, passes: int, rows: int) -> torch.Tensor:
    """Return the order of the rows in each pass (passes, rows)."""
    return torch.from_numpy(np.stack([generator.permutation(rows) for _ in range(passes)]))
