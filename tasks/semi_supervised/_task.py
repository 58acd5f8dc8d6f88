"""What the tasks of the track share: labels for few rows, watching, scoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.semi_supervised import Problem, SemiSupervisedMethod, Solution, View
from bench.training.data import Examples
from bench.training.pictures import curves
from bench.training.rowwise import rowwise
from bench.training.state import predict
from bench.training.tiles import grid


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        x_test: inputs (T, ...), float32.
        y_test: their labels (T,).
        y_pool: labels of the pool (n_u,); -1: of no class of the task.
    """

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    y_pool: Annotated[torch.Tensor, Array("n_u", dtype="int64", ge=-1, lt="C", empty=True)]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows before labels are hidden, pictures on one scale.

    Attributes:
        x: of the rows that may be labelled (n, ...).
        y: their labels (n,).
        pool: of a pool from elsewhere (m, ...); None: the rows without labels are the pool.
        y_pool: labels of that pool (m,); -1: of no class of the task.
        x_test: test rows (T, ...).
        y_test: their labels (T,).
    """

    x: torch.Tensor
    y: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    pool: torch.Tensor | None = None
    y_pool: torch.Tensor | None = None


class SemiTask(Task):
    """Keeps labels of a few rows of each class; judged by test rows."""

    accepts: ClassVar = Solution

    labels: Annotated[int, Meta(ge=1)] = 4
    """Labelled rows of each class."""
    unlabelled_classes: Annotated[int, Meta(ge=0)] = 0
    """The last so many classes have no labelled row at all."""
    net: Literal["mlp", "linear", "cnn", "resnet18"] = "mlp"
    """The net that all methods train."""
    widths: tuple[int, ...] = (256,)
    """Widths of the hidden layers of ``mlp``, or channels of a convolutional net."""
    steps: Annotated[int, Meta(ge=1)] = 1500
    """Updates."""
    batch_size: Annotated[int, Meta(ge=1)] = 32
    """Labelled rows in a step."""
    mu: Annotated[int, Meta(ge=1)] = 3
    """Rows of the pool in a step for each labelled one."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate at the start."""

    def parts(self, run: Setup) -> tuple[Parts, int]:
        """Return the rows and the number of classes."""
        raise TypeError(f"{type(self).__name__} has no parts; write them.")

    def prepare(self, run: Setup) -> Case:
        """Choose the labelled rows, and make all others the pool."""
        parts, classes = self.parts(run)
        parts = shuffled(parts, run.numpy_generator("corruption", "order"))
        labelled = self._labelled(parts.y, classes, run.numpy_generator("corruption"))
        if parts.pool is None or parts.y_pool is None:
            x, y_all = parts.x, parts.y
            rest = torch.ones(len(x), dtype=torch.bool)
            rest[labelled] = False
            unlabelled = rest.nonzero()[:, 0]
        else:
            x = torch.cat([parts.x[labelled], parts.pool])
            y_all = torch.cat([parts.y[labelled], parts.y_pool])
            count = len(labelled)
            labelled = torch.arange(count)
            unlabelled = torch.arange(count, len(x))
        mean, std = x.mean(), x.std().clamp_min(1e-8)
        side = parts.x.shape[-1]
        share = torch.bincount(y_all[y_all >= 0], minlength=classes).float()
        problem = Problem(
            x=(x - mean) / std,
            y=y_all[labelled],
            labelled=labelled,
            unlabelled=unlabelled,
            n_classes=classes,
            net=self.net,
            widths=self.widths,
            steps=self.steps,
            batch_size=self.batch_size,
            mu=self.mu,
            lr=self.lr,
            weak=View(shift=side / 14 if side > 8 else 0.5),
            strong=View(
                rotation=30,
                zoom=0.2,
                shear=0.3,
                shift=2 * side / 14 if side > 8 else 0.9,
                contrast=0.4,
                blank=side // 3,
            ),
            class_prior=share / share.sum(),
        )
        hidden = Hidden(
            x_test=(parts.x_test - mean) / std, y_test=parts.y_test, y_pool=y_all[unlabelled]
        )
        return Case(problems=[problem], hidden=hidden)

    def _labelled(
        self, y: torch.Tensor, classes: int, generator: np.random.Generator
    ) -> torch.Tensor:
        """Return the numbers of the labelled rows, ``labels`` of each class that has any."""
        if self.unlabelled_classes >= classes:
            raise InvalidRun(
                f"unlabelled_classes is {self.unlabelled_classes}, and the task has {classes} "
                "classes; leave at least one with labels"
            )
        found = []
        for one in range(classes - self.unlabelled_classes):
            rows = (y == one).nonzero()[:, 0].cpu().numpy()
            if len(rows) < self.labels:
                raise InvalidRun(
                    f"labels is {self.labels}, and class {one} has {len(rows)} rows; ask for fewer"
                )
            found.append(generator.permutation(rows)[: self.labels])
        return torch.from_numpy(np.sort(np.concatenate(found)))

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score a report on the test rows."""
        said = predict(model, case.hidden.x_test).argmax(-1)
        return Watched({"acc": percent(said == case.hidden.y_test)})

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model, its average, and what it makes of the pool."""
        outcome, hidden, problem = outcomes[0], case.hidden, case.problems[0]
        solution: Solution = outcome.solution
        said = rowwise(solution.model, hidden.x_test).argmax(-1)
        metrics = {"acc": percent(said == hidden.y_test)} | pool_figures(solution, hidden)
        if solution.average is not None:
            average = predict(solution.average, hidden.x_test).argmax(-1)
            metrics["acc_ema"] = percent(average == hidden.y_test)
        return Score(metrics=metrics, images=_pictures(problem, hidden, solution, outcome.curve))

    def train_on_all_labels(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the baseline, told the labels of the pool's rows of its classes."""
        return told_everything(problem, hidden, run)


class _LabelledAlone(SemiSupervisedMethod):
    reads_pool: ClassVar = False


def told_everything(problem: Problem, hidden: Hidden, run: Run) -> Solution:
    """Return what the baseline learns of all labels there are."""
    own = hidden.y_pool >= 0
    told = msgspec.structs.replace(
        problem,
        y=torch.cat([problem.y, hidden.y_pool[own]]),
        labelled=torch.cat([problem.labelled, problem.unlabelled[own]]),
        unlabelled=problem.unlabelled[:0],
    )
    return _LabelledAlone().solve(told, run)


def percent(right: torch.Tensor) -> float | None:
    """Return the share that is true in percent; None of nothing."""
    return 100 * int(right.sum()) / right.numel() if right.numel() else None


def pool_figures(solution: Solution, hidden: Hidden) -> dict[str, float | None]:
    """Return what is known of the pool; None where the method says nothing."""
    found: dict[str, float | None] = dict.fromkeys(("pseudo_acc", "used", "stranger_weight"))
    found["acc_ema"] = None
    own = hidden.y_pool >= 0
    if solution.pseudo is not None:
        found["pseudo_acc"] = percent((solution.pseudo.argmax(-1) == hidden.y_pool)[own])
    if solution.weight is not None and len(own):
        found["used"] = percent(solution.weight > 0)
        rest = float(solution.weight[own].mean()) if own.any() else 0.0
        if rest > 0 and not own.all():
            found["stranger_weight"] = float(solution.weight[~own].mean()) / rest
    return found


def resized(x: torch.Tensor, side: int) -> torch.Tensor:
    """Return pictures (n, 1, H, W) of a side: by area where it is smaller, else bilinear."""
    if x.shape[-1] >= side:
        return F.interpolate(x.float(), (side, side), mode="area")
    return F.interpolate(x.float(), (side, side), mode="bilinear", align_corners=False)


def examples(data: Examples, side: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures of a side with grey values from 0 to 1, and their labels."""
    return resized(data.x, side) / scale, data.y


def _pictures(
    problem: Problem, hidden: Hidden, solution: Solution, curve: Sequence[dict[str, Any]]
) -> dict[str, np.ndarray]:
    """Return the curve, and the pool's rows that are most surely wrong."""
    points = {"acc": [(entry["step"], entry.get("acc")) for entry in curve]}
    found = {"curves": curves(points, "Test rows over the steps", "steps", "%")}
    if solution.pseudo is None or problem.x.dim() != 4 or not len(hidden.y_pool):
        return found
    sure, said = solution.pseudo.max(-1)
    wrong = torch.where(said != hidden.y_pool, sure, -1.0)
    rows = wrong.argsort(descending=True, stable=True)[:24]
    captions = [
        f"{said[row]} (is {int(hidden.y_pool[row]) if hidden.y_pool[row] >= 0 else 'none'})"
        for row in rows
    ]
    found["sure"] = grid(
        (problem.x[problem.unlabelled[rows.cpu()].to(problem.x.device)] - problem.x.min()).cpu(),
        captions,
        columns=8,
        title="Rows of the pool that are most surely wrong: what is said (what it is)",
    )
    return found


def shuffled(parts: Parts, generator: np.random.Generator) -> Parts:
    """Return the parts in an order of their own: datasets are sorted by class."""
    order = torch.from_numpy(generator.permutation(len(parts.x)))
    parts = msgspec.structs.replace(parts, x=parts.x[order], y=parts.y[order])
    if parts.pool is None or parts.y_pool is None:
        return parts
    order = torch.from_numpy(generator.permutation(len(parts.pool)))
    return msgspec.structs.replace(parts, pool=parts.pool[order], y_pool=parts.y_pool[order])
