"""Track ``noisy-labels``: train a classifier on labels of which some are wrong; it is judged on
clean ones.

The loop is written for several seeds at once. Shapes: K members (seeds), B rows of a batch, N
training rows, C classes, M nets a seed. Losses are averaged over a member's batch and *summed* over
members, so gradients do not mix.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import torch
from msgspec import Meta
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.contracts import Method
from bench.declared import Array, Outputs, Size
from bench.runs.context import Run
from bench.training.augment import Augmentation
from bench.training.nets import StackedNet, build, vote
from bench.training.schedules import Schedule
from bench.training.state import evaluating

__all__ = [
    "Batch",
    "Model",
    "NoisyLabelMethod",
    "Problem",
    "Seeds",
    "Solution",
    "cross_entropy",
    "sgd",
    "train",
    "train_step",
]

TRACK = TrackCard(
    name="noisy-labels",
    title="Noisy labels",
    about="Train a classifier on labels of which many are wrong.",
    field="wrong labels",
    ranked="training methods, by accuracy on clean test labels",
)

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: inputs, given labels and the protocol that all methods share.

    Attributes:
        x: standardised inputs (N, ...), float32.
        y: given labels (N,), int64; some are wrong.
        n_classes: C.
        net: the standard net, one of :data:`bench.training.nets.NETS`.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another net; () for
            the net's own.
        precision: what the body of a convolutional net computes in; parameters, losses and updates
            are float32.
        flip: mirror half of the pictures in each epoch.
        crop: shift each picture by up to so many pixels in each epoch.
        epochs: passes over the data.
        batch_size: rows of a batch; the last one of an epoch may be smaller.
        lr: learning rate at the start.
        schedule: how it falls.
        momentum: of SGD, in [0, 1).
        weight_decay: of SGD.
        noise_rate: share of wrong labels, in [0, 1]; only for methods that need ``noise-rate``.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    n_classes: Annotated[int, Size("C")]
    net: str = "mlp"
    widths: tuple[int, ...] = (256,)
    precision: Literal["float32", "bfloat16"] = "float32"
    flip: bool = False
    crop: Annotated[int, Meta(ge=0)] = 0
    epochs: Annotated[int, Meta(ge=1)] = 60
    batch_size: Annotated[int, Meta(ge=1)] = 128
    lr: Annotated[float, Meta(gt=0)] = 0.05
    schedule: Schedule = Schedule()
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    noise_rate: Annotated[float, Meta(ge=0, le=1)] | None = None


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: the classifier after the last epoch, from inputs (n, ...) to logits (n, C); of
            several nets, the first.
        labels: corrected training labels (N,), int64.
        clean_score: higher means more likely a right label (N,).
        kept: training rows the method would train on (N,), bool.
        ensemble: a second classifier made of all nets.
    """

    model: Annotated[Model, Outputs("C")]
    labels: Annotated[torch.Tensor | None, Array("N", dtype="int64", ge=0, lt="C")] = None
    clean_score: Annotated[torch.Tensor | None, Array("N", dtype="number", infinite=True)] = None
    kept: Annotated[torch.Tensor | None, Array("N", dtype="bool")] = None
    ensemble: Annotated[Model | None, Outputs("C")] = None


class Batch(msgspec.Struct, frozen=True):
    """One step's rows, for all members.

    Attributes:
        step: number of the step within its epoch.
        epoch: from 0.
        rows: row numbers (K, B).
        flat: row numbers into state of shape (K * N, ...), (K, B).
        x: inputs (K, B, ...).
        y: given labels (K, B).
    """

    step: int
    epoch: int
    rows: torch.Tensor
    flat: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor


class Seeds:
    """The K problems of a pass, their runs, and their data on the device as one tensor each.

    Attributes:
        problem: the first problem; the protocol is the same for all.
        problems: all K of them.
        runs: the K runs.
        members: K.
        n_rows: N.
        device: where everything lives.
        y: given labels (K, N).
        noise_rate: share of wrong labels of each member (K,), float64; None when the method's card
            does not need it.
        drawn: rows of an epoch: N, or fewer in a :meth:`part`.
        nets: the stack in training, M * K nets, net by net.
    """

    nets: StackedNet

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problem, self.runs = problems[0], list(runs)
        self.members, self.n_rows = len(problems), len(self.problem.y)
        self.device, self.problems = runs[0].device, list(problems)
        self.y = torch.stack([problem.y for problem in problems]).to(self.device)
        shared = all(torch.equal(problem.x, self.problem.x) for problem in problems[1:])
        self._x = (
            self.problem.x.to(self.device)
            if shared
            else torch.cat([problem.x for problem in problems]).to(self.device)
        )
        self._offset = torch.arange(self.members, device=self.device)[:, None] * self.n_rows
        self._x_offset = self._offset * 0 if shared else self._offset
        rates = [problem.noise_rate for problem in problems if problem.noise_rate is not None]
        self.noise_rate = (
            torch.tensor(rates, device=self.device, dtype=torch.float64)
            if len(rates) == self.members
            else None
        )
        self.drawn = self.n_rows
        self._rows: torch.Tensor | None = None
        flip, crop = self.problem.flip, self.problem.crop
        self._augment = (
            Augmentation([problem.x for problem in problems], self.device, flip, crop)
            if flip or crop
            else None
        )
        self._order_by()

    def _order_by(self, *axes: int | str) -> None:
        self._orders = [run.torch_generator("order", *axes, device="cpu") for run in self.runs]
        if self._augment is not None:
            self._draws = [run.torch_generator("augment", *axes, device="cpu") for run in self.runs]

    def part(self, rows: torch.Tensor | None, *axes: int | str) -> Seeds:
        """Return the same data with epochs of the rows (K, n) alone (None: of all), in the order of
        the stream with these axes (none: the same stream).
        """
        part = copy.copy(self)
        part.drawn, part._rows = (self.n_rows, None) if rows is None else (rows.shape[1], rows)
        if axes:
            part._order_by(*axes)
        return part

    def build(self, nets: int = 1, first: int = 0, extra: int = 0) -> StackedNet:
        """Return ``nets`` fresh nets a member, the initial weights those of the streams from
        ``first`` on, with ``extra`` outputs besides the classes.
        """
        problem, inits = (
            self.problem,
            [run.seeded("init", net) for net in range(first, first + nets) for run in self.runs],
        )
        bits = 16 if problem.precision == "bfloat16" else 32
        shape, outputs = problem.x.shape[1:], problem.n_classes + extra
        return build(
            problem.net,
            shape,
            outputs,
            inits,
            self.device,
            widths=problem.widths,
            batch=problem.batch_size,
            bits=bits,
        )

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        return math.ceil(self.drawn / self.problem.batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch: every row once, each member in
        its own order, augmented as the problem says.
        """
        order = torch.stack(
            [torch.randperm(self.drawn, generator=generator) for generator in self._orders]
        ).to(self.device)
        order = order if self._rows is None else self._rows.gather(1, order)
        size, y = self.problem.batch_size, self.y.gather(1, order)
        if (augment := self._augment) is None:
            x: Iterable[torch.Tensor] = self.inputs(order).split(size, 1)
        else:
            augment.draw(self.n_rows, self._draws)
            # an epoch of all members at once may not fit
            x = (augment(self.inputs(rows), rows) for rows in order.split(size, 1))
        for step, (rows, part_x, part_y) in enumerate(
            zip(order.split(size, 1), x, y.split(size, 1), strict=True)
        ):
            yield Batch(step, epoch, rows, rows + self._offset, part_x, part_y)

    def inputs(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the inputs of the rows (K, n), (K, n, ...)."""
        return self._x[rows + self._x_offset]

    def logits(
        self, nets: StackedNet, rows: torch.Tensor | None = None, part: int = 4096
    ) -> torch.Tensor:
        """Return what ``nets``, one a member, say of the rows (K, n) of the training set, or of all
        N: (K, n, outputs), in eval mode; it counts.
        """
        rows = (
            torch.arange(self.n_rows, device=self.device).expand(self.members, -1)
            if rows is None
            else rows
        )
        self.count(forward=rows.shape[1])
        with evaluating(nets):
            return torch.cat([nets.forward(self.inputs(piece)) for piece in rows.split(part, 1)], 1)

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Count visits of rows for every member."""
        for run in self.runs:
            run.count(forward=forward, backward=backward)

    def zeros(self, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Return zeros of this shape, on the device."""
        return torch.zeros(*shape, dtype=dtype, device=self.device)


class NoisyLabelMethod(Method, frozen=True, kw_only=True):
    """The shared loop of the track.

    As it stands it is plain cross entropy; methods replace its parts.

    Attributes:
        nets: M, the nets trained side by side for each seed.
        extra: outputs of the nets besides the C classes.
    """

    nets: ClassVar[int] = 1
    extra: ClassVar[int] = 0

    def start(self, seeds: Seeds) -> Any:
        """Return the method's state: whatever the other hooks need between steps.

        The nets are ``seeds.nets``.
        """
        return None

    def inputs(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return what the nets are fed, (K, B, ...)."""
        return batch.x

    def forward(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return what ``loss`` judges: mostly logits (K, B, C); with several nets (M, K, B, C)."""
        x = self.inputs(state, batch)
        logits: torch.Tensor = nets(
            x if self.nets == 1 else x.repeat(self.nets, *[1] * (x.dim() - 1))
        )
        return logits if self.nets == 1 else logits.unflatten(0, (self.nets, -1))

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return losses whose mean over the last axis is each net's objective: (K, B), (M, K, B),
        or one mean taken already, (..., 1).

        Args:
            state: what ``start`` returned.
            batch: the rows of the step.
            logits: what ``forward`` returned, mostly (K, B, C).
        """
        return cross_entropy(logits, batch.y)

    def before_step(self, state: Any, nets: StackedNet, batch: Batch) -> None:
        """Use or change the gradients before the nets move."""

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Do what the method does between epochs."""

    def model(self, state: Any, seeds: Seeds, k: int, net: int = 0) -> Model:
        """Return a net of member ``k`` as the classifier that is reported and handed over."""
        return seeds.nets.member(net * seeds.members + k)

    def finish(self, state: Any, seeds: Seeds) -> list[dict[str, Any]]:
        """Return for each member the fields of its solution besides the models."""
        return [{} for _ in range(seeds.members)]

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on several problems of one protocol at once."""
        seeds = Seeds(problems, runs)
        seeds.nets = seeds.build(self.nets, extra=self.extra)
        state = self.start(seeds)
        train(self, seeds, state)
        return self.solutions(state, seeds)

    def solutions(self, state: Any, seeds: Seeds) -> list[Solution]:
        """Return the solutions of all members, once they are trained."""
        found = []
        for k, extra in enumerate(self.finish(state, seeds)):
            models = [self.model(state, seeds, k, net) for net in range(self.nets)]
            found.append(
                Solution(model=models[0], ensemble=vote(models) if self.nets > 1 else None, **extra)
            )
        return found


def train(method: NoisyLabelMethod, seeds: Seeds, state: Any, report: bool = True) -> None:
    """Train ``seeds.nets`` for the problem's epochs; unless ``report`` is
    off, show the task the models after each.
    """
    problem, total = seeds.problem, seeds.problem.epochs * seeds.steps
    optimiser = sgd(seeds)
    ticks = [run.progress(problem.epochs, "epochs") for run in seeds.runs] if report else []
    for epoch in range(problem.epochs):
        for batch in seeds.epoch(epoch):
            optimiser.param_groups[0]["lr"] = problem.schedule.rate(
                problem.lr, epoch, (epoch * seeds.steps + batch.step) / total
            )
            train_step(method, seeds.nets, optimiser, state, batch)
        method.after_epoch(state, epoch)
        seeds.count(forward=method.nets * seeds.drawn, backward=method.nets * seeds.drawn)
        for k, tick in enumerate(ticks):
            seeds.runs[k].report(epoch + 1, method.model(state, seeds, k))
            tick()


def sgd(seeds: Seeds) -> torch.optim.SGD:
    """Return the optimiser of the problem's protocol for ``seeds.nets``."""
    problem = seeds.problem
    # on a CPU the fused kernel rounds its last few elements otherwise, and which those are depends
    # on K
    fused = seeds.device.type == "cuda"
    return torch.optim.SGD(
        seeds.nets.parameters(),
        lr=problem.lr,
        momentum=problem.momentum,
        weight_decay=problem.weight_decay,
        fused=fused,
    )


def train_step(
    method: NoisyLabelMethod,
    nets: StackedNet,
    optimiser: torch.optim.Optimizer,
    state: Any,
    batch: Batch,
) -> None:
    """Take one step: forward, the method's loss, backward, update."""
    logits = method.forward(state, nets, batch)
    optimiser.zero_grad(set_to_none=True)
    method.loss(state, batch, logits).mean(-1).sum().backward()
    method.before_step(state, nets, batch)
    optimiser.step()


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return -log p_label, (...,), for logits (..., C) and labels (...,)."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none").view(
        labels.shape
    )
