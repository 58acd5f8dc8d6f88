"""What a supervised loop trains on: the problem, and the rows of several seeds at once.

Shapes: K members (seeds), B rows of a batch, N training rows, C classes, M nets a seed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal, Self

import msgspec
import torch
from msgspec import Meta

from bench.declared import Array, Size
from bench.runs.context import Run
from bench.training.augment import Augmentation
from bench.training.nets import StackedNet, build
from bench.training.rows import taken
from bench.training.schedules import Schedule
from bench.training.state import evaluating

__all__ = ["Batch", "Problem", "Seeds"]

_BLOCK = 8 << 20
"""Bytes of inputs that are gathered at once: a call a batch takes longer, and an epoch of a million
rows and several members is more than a gigabyte.
"""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: inputs, labels and the protocol that all methods share.

    Tracks add what only they tell.

    Attributes:
        x: standardised inputs (N, ...), float32.
        y: given labels (N,), int64.
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
        # not one tensor of all: beside the problems' own it would hold them twice
        own = problems[:1] if shared else problems
        self._x = [problem.x.to(self.device) for problem in own]
        self._offset = torch.arange(self.members, device=self.device)[:, None] * self.n_rows
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

    def part(self, rows: torch.Tensor | None, *axes: int | str) -> Self:
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

    def order(self) -> torch.Tensor:
        """Draw the rows of an epoch (K, n): each once, in an order of every member's own."""
        order = torch.stack(
            [torch.randperm(self.drawn, generator=generator) for generator in self._orders]
        ).to(self.device)
        return order if self._rows is None else self._rows.gather(1, order)

    def epoch(self, epoch: int, order: torch.Tensor | None = None) -> Iterator[Batch]:
        """Yield the batches of an epoch, augmented as the problem says: the rows ``order`` (K, n),
        or every row once in an order drawn now.
        """
        order = self.order() if order is None else order
        size, y = self.problem.batch_size, self.y.gather(1, order)
        if (augment := self._augment) is None:
            x: Iterable[torch.Tensor] = self._gathered(order)
        else:
            augment.draw(self.n_rows, self._draws)
            # an epoch of all members at once may not fit
            x = (augment(self.inputs(rows), rows) for rows in order.split(size, 1))
        for step, (rows, part_x, part_y) in enumerate(
            zip(order.split(size, 1), x, y.split(size, 1), strict=True)
        ):
            yield Batch(step, epoch, rows, rows + self._offset, part_x, part_y)

    def _gathered(self, order: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the inputs of every batch, gathered many batches at a time."""
        size = self.problem.batch_size
        batch = size * self.members * self.problem.x[0].numel() * self.problem.x.element_size()
        for rows in order.split(size * max(1, _BLOCK // batch), 1):
            yield from self.inputs(rows).split(size, 1)

    def inputs(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the inputs of the rows (K, n), (K, n, ...)."""
        if len(self._x) == 1:
            return taken(self._x[0], rows)
        found = self._x[0].new_empty(*rows.shape, *self._x[0].shape[1:])
        for x, own, place in zip(self._x, rows, found, strict=True):
            torch.index_select(x, 0, own, out=place)
        return found

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
