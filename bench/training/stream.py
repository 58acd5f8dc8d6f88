"""Rows that come as a stream: it is read once, and what was handed out is overwritten; the only
memory is a store of a fixed number of rows.

Shapes: K members (seeds), T tasks, n rows of a task, B rows of a batch, M places of a store.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import torch

from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.runs.isolation import attributes
from bench.training.memory import Memory
from bench.training.rows import beside

__all__ = ["Chunk", "Stream", "refuse_hoards", "together"]


class Chunk(msgspec.Struct, frozen=True):
    """One step's rows, of one stream or of K side by side.

    They are overwritten when the next chunk is asked for: inputs with NaN, labels with 0.

    Attributes:
        t: the task, from 0.
        step: within the task, from 0.
        start: whether a pass over the task's rows begins.
        last: whether it is the task's last step.
        x: inputs (B, ...), of K streams (K, B, ...).
        y: labels (B,), of K streams (K, B).
    """

    t: int
    step: int
    start: bool
    last: bool
    x: torch.Tensor
    y: torch.Tensor


class Stream:
    """A one-shot iterator of :class:`Chunk`: the rows of one task after the other, each in a given
    order.

    Args:
        x: inputs of each task, T tensors (n, ...), float32.
        y: labels of each task, T tensors (n,), int64.
        orders: numbers of a task's rows, a pass after the other, T tensors (passes, n).
        batch_size: B; the last batch of a pass may be smaller.

    Attributes:
        tasks: T.
        batch_size: B.
    """

    # what is here is changed by reading; all else is part of the problem's fingerprint
    __slots__ = ("__dict__", "_ended", "_read")

    def __init__(
        self,
        x: Sequence[torch.Tensor],
        y: Sequence[torch.Tensor],
        orders: Sequence[torch.Tensor],
        batch_size: int,
    ) -> None:
        self._x, self._y, self._orders = tuple(x), tuple(y), tuple(orders)
        self.tasks, self.batch_size = len(self._x), batch_size
        self._read, self._ended = False, -1

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks.

        Raises:
            InvalidRun: it was read before.
        """
        for chunk in together([self]):
            yield msgspec.structs.replace(chunk, x=chunk.x[0], y=chunk.y[0])

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps of each task."""
        return tuple(
            len(order) * math.ceil(order.shape[1] / self.batch_size) for order in self._orders
        )

    @property
    def shape(self) -> torch.Size:
        """The shape of one input."""
        return self._x[0].shape[1:]

    def ended(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs (n, ...) and labels (n,) of the task that ends with the chunk at hand, once
        more; what is returned is the caller's to overwrite.

        Raises:
            InvalidRun: the chunk at hand is not the last of a task.
        """
        if self._ended < 0:
            raise InvalidRun(
                "the rows of a task were asked for between its ends; a stream shows them once more "
                "with the last chunk of the task"
            )
        return self._x[self._ended].clone(), self._y[self._ended].clone()

    def holds(self, rows: torch.Tensor) -> bool:
        """Say whether one of the rows (m, ...) is a row of the stream; constant rows do not count.

        They are told by a weighted sum of their bits, which is exact and which no two rows share
        by chance.
        """
        flat = rows.detach().reshape(-1, math.prod(self.shape)).float()
        flat = flat[(flat != flat[:, :1]).any(1) & flat.isfinite().all(1)]
        known = torch.cat([_marks(x.flatten(1)) for x in self._x])
        return bool(torch.isin(_marks(flat), known).any())


def _marks(rows: torch.Tensor) -> torch.Tensor:
    """Return a number for each row (m, d), float32, equal for equal rows (m,), int64."""
    bits = (rows + 0.0).contiguous().view(torch.int32).long()  # -0 is 0
    places = torch.arange(1, rows.shape[1] + 1, device=rows.device)
    return (bits * (places * 0x9E3779B97F4A7C1 + 1)).sum(1)


def together(streams: Sequence[Stream]) -> Iterator[Chunk]:
    """Yield the chunks of K streams side by side, tensors (K, B, ...).

    Raises:
        InvalidRun: a stream was read before, or the streams differ in length.
    """
    if any(stream._read for stream in streams):
        raise InvalidRun(
            "the stream was read a second time, and it is read once; keep rows in the store"
        )
    if len({tuple(order.shape for order in stream._orders) for stream in streams}) > 1:
        raise InvalidRun("streams of different lengths cannot be read side by side")
    for stream in streams:
        stream._read = True
    size = streams[0].batch_size
    for t in range(streams[0].tasks):
        x = torch.stack([stream._x[t] for stream in streams])
        y = torch.stack([stream._y[t] for stream in streams])
        orders = torch.stack([stream._orders[t] for stream in streams])
        batches = [
            (place == 0, rows)
            for order in orders.unbind(1)
            for place, rows in enumerate(order.split(size, 1))
        ]
        for step, (start, rows) in enumerate(batches):
            last = step == len(batches) - 1
            chunk = Chunk(t, step, start, last, beside(x, rows), y.gather(1, rows))
            for stream in streams:
                stream._ended = t if last else -1
            yield chunk
            # a method that keeps a batch learns from NaN
            chunk.x.fill_(torch.nan)
            chunk.y.zero_()
    for stream in streams:
        stream._ended = -1


def refuse_hoards(state: Any, streams: Sequence[Stream]) -> None:
    """Look through what a method holds between tasks for copies of rows of the streams.

    Followed are attributes, items and slots; a memory, nets and runs are not.

    Raises:
        InvalidRun: there is one.
    """
    seen: dict[int, Any] = {}
    ways: list[tuple[str, Any]] = [("state", state)]
    while ways:
        way, value = ways.pop()
        if id(value) in seen or isinstance(value, (Memory, Stream, Run, torch.nn.Module, type)):
            continue
        seen[id(value)] = value
        if isinstance(value, torch.Tensor):
            shape = streams[0].shape
            rows = value.is_floating_point() and value.dim() > len(shape)
            if rows and value.shape[-len(shape) :] == shape:
                if any(stream.holds(value) for stream in streams):
                    raise InvalidRun(
                        f"{way} holds rows of the stream beyond their step; the store is the only "
                        "memory, so keep them there"
                    )
        elif isinstance(value, Mapping):
            ways += [(f"{way}[{key!r}]", part) for key, part in value.items()]
        elif isinstance(value, list | tuple | set | frozenset | deque):
            ways += [(f"{way}[{place}]", part) for place, part in enumerate(value)]
        elif not callable(value):
            ways += [(f"{way}.{name}", part) for name, part in attributes(value).items()]
