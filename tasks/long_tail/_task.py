"""What the tasks of the track share: class sizes, the split, the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.long_tail import Problem, Recipe, Solution
from bench.training.calibration import binned
from bench.training.data import Examples, standardised, stratified_split
from bench.training.pictures import curves
from bench.training.state import predict

_PROTOCOL = ("widths", "epochs", "batch_size", "lr", "momentum", "weight_decay")
"""Parameters that the problem takes over as they are."""


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees.

    Attributes:
        x_test: test rows, as many of each class; y_test: their labels.
        x_even: as many rows as the training set has, as many of each class, with labels y_even.
    """

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    x_even: Annotated[torch.Tensor, Array("E", ..., dtype="float32")]
    y_even: Annotated[torch.Tensor, Array("E", dtype="int64", ge=0, lt="C")]


class LongTailTask(Task):
    """Thin the classes of a dataset to a long tail; judge on as many rows of each class."""

    source: ClassVar[str]
    """Name of the dataset."""
    per_class: ClassVar[int]
    """Test rows of each class."""

    largest: Annotated[int, Meta(ge=1)] = 95
    """Rows of the largest class."""
    ratio: Annotated[float, Meta(ge=1)] = 30.0
    """Size of the largest class over that of the smallest."""
    shape: Literal["exponential", "step"] = "exponential"
    """How sizes fall: by one factor from class to class, or in the middle by all of it."""
    widths: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers of the net."""
    epochs: Annotated[int, Meta(ge=1)] = 100
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 64
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate at the start; half a cosine takes it to 0."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Momentum of SGD."""
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-4
    """Weight decay of SGD."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows that is held out and scored instead of the test part: for choosing
    parameters.
    """

    def sizes(self, classes: int) -> np.ndarray:
        """Return how many rows each class has (C,), the largest first, at least one."""
        place = np.arange(classes) / max(1, classes - 1)
        if self.shape == "step":
            place = (np.arange(classes) >= classes // 2).astype(float)
        # the last of a falling sequence of floats may miss a whole number by one bit
        return np.maximum(1, np.floor(self.largest * self.ratio**-place + 1e-9)).astype(int)

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return the rows that may be trained on, and the test rows."""
        data = run.dataset(self.source)
        y = data.y.cpu().numpy()
        keys = run.numpy_generator("split", "test").random(len(y))
        test = _first(y, keys, np.full(data.classes, self.per_class))
        pool = np.setdiff1d(np.arange(len(y)), test)
        return tuple(
            Examples(data.x[rows], data.y[rows], data.classes)
            for rows in map(torch.from_numpy, (pool, np.sort(test)))
        )

    def prepare(self, run: Setup) -> Case:
        """Draw which class is how large, and its rows.

        Raises:
            InvalidRun: a class has fewer rows than it should have.
        """
        pool, test = self.parts(run)
        y, generator = pool.y.cpu().numpy(), run.numpy_generator("split", "train")
        sizes = self.sizes(pool.classes)[generator.permutation(pool.classes)]
        there = np.bincount(y, minlength=pool.classes)
        if (there < sizes).any():
            raise InvalidRun(
                f"{self.card.name} has largest={self.largest}, but a class has only {there.min()} "
                f"rows beside the test rows; give largest of at most {there.min()}."
            )
        keys = generator.random(len(y))
        train, even = _first(y, keys, sizes), _first(y, keys, _even(int(sizes.sum()), there))
        first, level = (torch.from_numpy(generator.permutation(rows)) for rows in (train, even))
        x, x_even, x_test = standardised(pool.x[first], pool.x[level], test.x)
        protocol = {name: getattr(self, name) for name in _PROTOCOL}
        problem = Problem(x=x, y=pool.y[first], n_classes=pool.classes, **protocol)
        if self.holdout:
            return self.held_out(problem, run)
        hidden = Hidden(x_test, test.y, x_even, pool.y[level])
        return Case(problems=[problem], hidden=hidden)

    def held_out(self, problem: Problem, run: Setup) -> Case:
        """Return a case of the training rows alone, some of which the others are judged by."""
        given = problem.y.cpu().numpy()
        count = max(1, round(self.holdout * len(given)))
        kept, held = (
            torch.from_numpy(part)
            for part in stratified_split(given, count, run.numpy_generator("split", "holdout"))
        )
        rest = msgspec.structs.replace(problem, x=problem.x[kept], y=problem.y[kept])
        x, y = problem.x[held], problem.y[held]
        return Case(problems=[rest], hidden=Hidden(x, y, x, y))

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score some epochs on the test rows: ten of them, evenly spread, and the last."""
        if step % max(1, self.epochs // 10) and step != self.epochs:
            return Watched({})
        found = by_class(predict(model, case.hidden.x_test), case.hidden.y_test)
        return Watched({"bal_acc": float(found.nanmean())})

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model class by class, and the geometry of its features."""
        solution, hidden, problem = outcomes[0].solution, case.hidden, case.problems[0]
        logits = predict(solution.model, hidden.x_test)
        found = by_class(logits, hidden.y_test, problem.n_classes)
        if self.holdout:
            return Score(
                metrics={"bal_acc_val": float(found.nanmean())},
                not_rankable="scored on held-out training rows",
            )
        sizes = problem.y.bincount(minlength=problem.n_classes)
        order = sizes.argsort(descending=True, stable=True)
        ends = [round(0.4 * len(order)), round(0.7 * len(order))]
        parts = order.tensor_split(ends)
        lost = F.cross_entropy(
            predict(solution.model, problem.x).double(), problem.y, reduction="none"
        )
        metrics = {
            "bal_acc": float(found.mean()),
            "worst_class": float(found.min()),
            "ece": binned(logits.softmax(-1), hidden.y_test).ece,
            "nll": float(F.cross_entropy(logits.double(), hidden.y_test)),
            "fit_rare": float(lost[rare(problem.y, sizes)].mean()),
            **{
                f"acc_{name}": float(found[part].mean())
                for name, part in zip(("head", "medium", "tail"), parts, strict=True)
            },
            **geometry(solution.model, problem),
        }
        shown = curves(
            {"accuracy": [(float(sizes[c]), float(found[c])) for c in order.flip(0).tolist()]},
            "Accuracy of each class",
            "training rows of the class",
            "%",
        )
        return Score(
            metrics=metrics, arrays={"by_class": found.cpu().numpy()}, images={"classes": shown}
        )

    def train_on_balanced_rows(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the baseline on as many rows, as many of each class."""
        even = msgspec.structs.replace(problem, x=hidden.x_even, y=hidden.y_even)
        found: Solution = Recipe().solve(even, run)
        return found


def _first(y: np.ndarray, keys: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return of labels ``y`` (n,) the rows with the lowest keys (n,), ``sizes`` (C,) of each class
    or all that there are.
    """
    order = np.lexsort((keys, y))
    counts = np.bincount(y, minlength=len(sizes))
    place = np.arange(len(y)) - (counts.cumsum() - counts).repeat(counts)
    return order[place < sizes[y[order]]]


def _even(total: int, there: np.ndarray) -> np.ndarray:
    """Return sizes (C,) that sum to ``total`` and differ by one at most, where ``there`` (C,) rows
    allow it.
    """
    classes = len(there)
    sizes = np.full(classes, total // classes)
    sizes[: total % classes] += 1
    return np.minimum(sizes, there)


def by_class(logits: torch.Tensor, y: torch.Tensor, classes: int | None = None) -> torch.Tensor:
    """Return the accuracy on the rows of each class in percent (C,); NaN without rows."""
    own = F.one_hot(y, classes or logits.shape[-1]).double()
    right = (logits.argmax(-1) == y).double()
    return 100 * (own * right[:, None]).sum(0) / own.sum(0)


def rare(y: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Return which half of the rows with labels ``y`` (N,) is in the rarest classes, (N,) bool."""
    order = sizes[y].argsort(stable=True)
    chosen = torch.zeros(len(y), dtype=torch.bool, device=y.device)
    chosen[order[: max(1, len(y) // 2)]] = True
    return chosen


def geometry(model: Any, problem: Problem) -> dict[str, float | None]:
    """Return how the features of the training rows lie; None where a model has none."""
    names = ("nc_angle_sd", "nc_cosine", "nc_within")
    read = getattr(model, "features", None)
    if read is None:
        return dict.fromkeys(names)
    return collapse(predict(read, problem.x).double(), problem.y, problem.n_classes)


def collapse(features: torch.Tensor, y: torch.Tensor, classes: int) -> dict[str, float | None]:
    """Return the geometry of features (N, D) with labels (N,), of which every class has some.

    Source: arXiv:2008.08186, NC1 and NC2.
    """
    own = F.one_hot(y, classes).double()
    means = own.T @ features / own.sum(0)[:, None]
    centred = means - means.mean(0)
    pairs = torch.triu_indices(classes, classes, 1)

    def cosines(points: torch.Tensor) -> torch.Tensor:
        directions = F.normalize(points, dim=-1)
        return (directions @ directions.T)[pairs[0], pairs[1]]

    within = (features - means[y]).square().sum(-1).mean()
    between = centred.square().sum(-1).mean()
    return {
        "nc_angle_sd": float(cosines(centred).std(correction=0)),
        "nc_cosine": float(cosines(means).mean().clamp(-1, 1)),
        "nc_within": float(within / between) if between > 0 else None,
    }
