"""What a method of the track ``semi-supervised`` gets and returns, and the rows of K seeds.

Shapes: K members (seeds), N rows, n_l labelled rows, n_u rows of the pool, C classes, B rows of a
batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import msgspec
import torch
from msgspec import Meta

from bench.declared import Array, Outputs, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.semi_supervised_views import View, viewed
from bench.training.fitting import passes_of
from bench.training.nets import StackedNet, build
from bench.training.rows import beside
from bench.training.stack import StackedMLP

__all__ = ["Batch", "Members", "Model", "Problem", "Solution"]

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: inputs, labels of a few, and the protocol that all methods share.

    Attributes:
        x: standardised inputs of all rows (N, ...), float32.
        y: labels of the labelled rows (n_l,).
        labelled: their row numbers (n_l,).
        unlabelled: row numbers of the pool (n_u,); some may be of no class of the task.
        n_classes: C.
        net: the standard net, or ``linear``.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another net.
        steps: updates, the budget of every method.
        batch_size: B, labelled rows in a step.
        mu: rows of the pool in a step for each labelled one.
        lr: of SGD with Nesterov's momentum, times cos(7 pi t / 16 T).
        momentum: of SGD, in [0, 1).
        weight_decay: of SGD.
        weak: the weak view.
        strong: the strong view.
        class_prior: share of each class among all rows of the task's classes (C,), in [0, 1]; only
            for methods that need ``class-prior``.
        symmetric: whether two classes lie around plus and minus one mean with the same round
            spread; only for methods that need ``symmetric``.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("n_l", dtype="int64", ge=0, lt="C")]
    labelled: Annotated[torch.Tensor, Array("n_l", dtype="int64", ge=0, lt="N", distinct=True)]
    unlabelled: Annotated[
        torch.Tensor, Array("n_u", dtype="int64", ge=0, lt="N", distinct=True, empty=True)
    ]
    n_classes: Annotated[int, Size("C", least=2)]
    net: str = "mlp"
    widths: tuple[int, ...] = (256,)
    steps: Annotated[int, Meta(ge=1)] = 1500
    batch_size: Annotated[int, Meta(ge=1)] = 32
    mu: Annotated[int, Meta(ge=1)] = 3
    lr: Annotated[float, Meta(gt=0)] = 0.05
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-4
    weak: View = View()
    strong: View = View()
    class_prior: Annotated[torch.Tensor | None, Array("C", dtype="float32", ge=0, le=1)] = None
    symmetric: bool | None = None

    def validate(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidRun: a row is labelled and in the pool.
        """
        if bool(torch.isin(self.labelled, self.unlabelled).any()):
            raise InvalidRun(
                "a labelled row is in the pool as well; give each row to one of the two"
            )


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: the classifier after the last step, from inputs (n, ...) to logits (n, C).
        average: the average of its weights over the steps, as a classifier.
        pseudo: what the method says of the pool, probabilities (n_u, C), in [0, 1].
        weight: how much it learned from each row of the pool over the last tenth of the steps
            (n_u,), 0 or more.
    """

    model: Annotated[Model, Outputs("C")]
    average: Annotated[Model | None, Outputs("C")] = None
    pseudo: Annotated[
        torch.Tensor | None, Array("n_u", "C", dtype="float32", ge=0, le=1.0001, empty=True)
    ] = None
    weight: Annotated[torch.Tensor | None, Array("n_u", dtype="float32", ge=0, empty=True)] = None


class Batch(msgspec.Struct, frozen=True):
    """One step's rows, for all members.

    Attributes:
        step: from 0.
        done: share of the steps that is behind, in [0, 1).
        x: labelled inputs as they are (K, B, ...).
        y: their labels (K, B).
        u: inputs of the pool as they are (K, mu B, ...).
        rows: their places in the pool (K, mu B).
    """

    step: int
    done: float
    x: torch.Tensor
    y: torch.Tensor
    u: torch.Tensor
    rows: torch.Tensor


class Members:
    """The K problems of a pass, their runs, and their data on the device.

    Attributes:
        problem: the first problem; the protocol is the same for all.
        problems: all K of them.
        runs: the K runs.
        members: K.
        x: inputs (K, N, ...).
        labels: of every row (K, N); only those of labelled rows mean anything.
        lists: row numbers of the labelled rows, a tensor (n,) a member.
        pool: row numbers of the pool (K, n_u).
        nets: the stack in training.
        heads: further stacks that are trained with it.
        weight: sums of the weights of the pool's rows (K, n_u) over the last tenth, and visits.
    """

    nets: StackedNet

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problem, self.problems, self.runs = problems[0], list(problems), list(runs)
        self.members, self.device = len(problems), runs[0].device
        self.x = torch.stack([own.x for own in problems]).to(self.device)
        self.pool = torch.stack([own.unlabelled for own in problems]).to(self.device)
        self.lists = [own.labelled.cpu() for own in problems]
        self.labels = torch.zeros(self.x.shape[:2], dtype=torch.int64, device=self.device)
        for k, own in enumerate(problems):
            self.labels[k, own.labelled] = own.y.to(self.device)
        self.heads: list[StackedNet] = []
        self.weight = torch.zeros(2, *self.pool.shape, device=self.device)
        self._fill = self.x.flatten(1).amin(1)
        self._draws: dict[str, list[torch.Generator]] = {}
        self._orders = [
            [run.torch_generator("order", part, device="cpu") for run in runs]
            for part in ("labelled", "pool")
        ]

    def build(self) -> StackedNet:
        """Return one fresh net a member, from the streams ``init``."""
        problem, shape = self.problem, self.x.shape[2:]
        inits = [run.seeded("init") for run in self.runs]
        if problem.net == "linear":
            return StackedMLP((math.prod(shape), problem.n_classes), inits, self.device)
        size = problem.batch_size
        return build(
            problem.net,
            shape,
            problem.n_classes,
            inits,
            self.device,
            widths=problem.widths,
            batch=size,
        )

    def head(self, name: str, *hidden: int) -> StackedNet:
        """Return a fresh perceptron a member on what the nets' last layer reads, trained with them.

        Args:
            name: of its stream.
            hidden: widths after the features, the last one its outputs.
        """
        with torch.no_grad():
            width = self.nets.features(self.x[:, :2]).shape[-1]
        inits = [run.seeded("method", name) for run in self.runs]
        made = StackedMLP((width, *hidden), inits, self.device)
        self.heads.append(made)
        return made

    def batches(self, first: int, steps: int) -> Iterator[Batch]:
        """Yield the rows of the steps from ``first`` on."""
        problem, pool = self.problem, self.pool.shape[1]
        labelled = passes_of(self.lists, problem.batch_size, steps, self._orders[0])
        size = problem.batch_size * problem.mu if pool else 0
        places = [torch.arange(pool)] * self.members
        chosen: Iterator[torch.Tensor] = (
            passes_of(places, size, steps, self._orders[1])
            if pool
            else iter([torch.zeros(self.members, 0, dtype=torch.int64)] * steps)
        )
        for at, (own, rows) in enumerate(zip(labelled, chosen, strict=True), first):
            own, rows = own.to(self.device), rows.to(self.device)
            yield Batch(
                step=at,
                done=at / problem.steps,
                x=beside(self.x, own),
                y=self.labels.gather(1, own),
                u=beside(self.x, self.pool.gather(1, rows)),
                rows=rows,
            )

    def weak(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Return weak views of inputs (K, B, ...), drawn from the streams of this name."""
        return self._viewed(x, self.problem.weak, f"weak {name}")

    def strong(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Return strong views of inputs (K, B, ...), drawn from the streams of this name."""
        return self._viewed(x, self.problem.strong, f"strong {name}")

    def _viewed(self, x: torch.Tensor, view: View, name: str) -> torch.Tensor:
        if view == View() or not x.shape[1]:
            return x
        if name not in self._draws:
            self._draws[name] = [
                run.torch_generator("augment", name, device="cpu") for run in self.runs
            ]
        drawn = [torch.rand(x.shape[1], 8, generator=own) for own in self._draws[name]]
        return viewed(x, view, torch.stack(drawn).to(self.device), self._fill)

    def note(self, batch: Batch, weight: torch.Tensor) -> None:
        """Note how much the rows (K, mu B) of a step count, if it is one of the last tenth."""
        if batch.done >= 0.9:
            self.weight[0].scatter_add_(1, batch.rows, weight.detach().float())
            self.weight[1].scatter_add_(1, batch.rows, torch.ones_like(weight).float())

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Count visits of rows for every member."""
        for run in self.runs:
            run.count(forward=forward, backward=backward)
