"""The rows that a learner of a stream may keep: a store of a fixed number of places, which counts
what is in it.

Shapes: K members (seeds), B rows, M places, S rows drawn, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch

from bench.errors import InvalidRun
from bench.training.rows import beside

__all__ = ["Memory", "Rows", "Store"]


class Store:
    """The right to keep so many rows; :class:`Memory` is what they are kept in.

    Args:
        capacity: M, rows that may be kept at a time.

    Attributes:
        capacity: M.
    """

    # what is here is changed by use; the capacity is part of the problem's fingerprint
    __slots__ = ("__dict__", "_labels", "_opened", "_peak")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._opened, self._peak = False, 0
        self._labels = torch.zeros(0, dtype=torch.int64)

    @property
    def peak(self) -> int:
        """The most rows that were kept at a time."""
        return self._peak

    @property
    def labels(self) -> torch.Tensor:
        """Labels of the rows that are kept now (m,), -1 where a place is empty."""
        return self._labels

    def _open(self, labels: torch.Tensor) -> None:
        if self._opened:
            raise InvalidRun(
                f"the store was opened a second time, and its {self.capacity} places are all that "
                "a method may keep; use the memory that was opened first"
            )
        self._opened, self._labels = True, labels

    def _now(self, kept: int) -> None:
        self._peak = max(self._peak, kept)


class Rows(msgspec.Struct, frozen=True):
    """Rows drawn from a memory.

    Attributes:
        x: inputs (K, S, ...).
        y: labels (K, S).
        logits: what was stored with them (K, S, C); None: nothing.
        first: the task in which each was stored (K, S), int64.
    """

    x: torch.Tensor
    y: torch.Tensor
    logits: torch.Tensor | None
    first: torch.Tensor


class Memory:
    """The places of K stores side by side, all equally full.

    Args:
        stores: K stores, each opened once.
        shape: of one input.
        outputs: C, of logits that are stored beside a row; 0: none are.
        draws: one generator a member, on the CPU.
        device: where rows are kept.

    Attributes:
        capacity: M.
        seen: rows that were offered so far.
        kept: rows that each member has now.

    Raises:
        InvalidRun: a store was opened before.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        shape: Sequence[int],
        outputs: int,
        draws: Sequence[torch.Generator],
        device: torch.device,
    ) -> None:
        members, self.capacity = len(stores), stores[0].capacity
        self.stores, self._draws, self.device = list(stores), list(draws), device
        self.x = torch.zeros(members, self.capacity, *shape, device=device)
        self.y = torch.full((members, self.capacity), -1, device=device)
        self.first = torch.zeros(members, self.capacity, dtype=torch.int64, device=device)
        self.logits = torch.zeros(members, self.capacity, outputs, device=device)
        self.seen = self.kept = 0
        for store, labels in zip(stores, self.y, strict=True):
            store._open(labels)

    def reservoir(
        self, x: torch.Tensor, y: torch.Tensor, t: int = 0, logits: torch.Tensor | None = None
    ) -> None:
        """Offer rows (K, B, ...), labels (K, B) and logits (K, B, C) of task ``t``, so that every
        row offered so far is kept with the same probability.

        Row n, counted from 0, goes to place n while there are free places, then to one drawn from
        0 to n, and is kept if that is a place. Source: Vitter 1985, algorithm R.
        """
        size = y.shape[1]
        numbers = torch.arange(self.seen, self.seen + size, dtype=torch.float64)
        drawn = torch.stack(
            [torch.rand(size, generator=g, dtype=torch.float64) for g in self._draws]
        )
        places = torch.where(
            numbers < self.capacity, numbers, (drawn * (numbers + 1)).floor()
        ).long()
        # of rows that fall on one place, the last stays
        later = (places[:, None] == places[:, :, None]).triu(1).any(2)
        self.seen += size
        self.write(torch.where(later | (places >= self.capacity), -1, places), x, y, t, logits)

    def write(
        self,
        places: torch.Tensor,
        x: torch.Tensor,
        y: torch.Tensor,
        t: int = 0,
        logits: torch.Tensor | None = None,
    ) -> None:
        """Put rows into places (K, B), where -1 stands for none; no place twice.

        Raises:
            InvalidRun: there is no such place.
        """
        if int(places.max()) >= self.capacity:
            raise InvalidRun(
                f"a row was put into place {int(places.max())} of a store of {self.capacity}; the "
                f"places are 0 to {self.capacity - 1}"
            )
        places = places.to(self.device)
        member, row = (places >= 0).nonzero(as_tuple=True)
        place = places[member, row]
        self.x[member, place] = x.detach()[member, row]
        self.y[member, place] = y[member, row]
        self.first[member, place] = t
        if logits is not None:
            self.logits[member, place] = logits.detach()[member, row]
        self.kept = int((self.y >= 0).sum(1).max())
        for store in self.stores:
            store._now(self.kept)

    def draw(self, size: int) -> Rows:
        """Draw at most ``size`` rows of each member, none twice; there must be some."""
        count = min(size, self.kept)
        keys = torch.stack([torch.rand(self.kept, generator=g) for g in self._draws])
        places = keys.topk(count, 1).indices.to(self.device)
        return Rows(
            beside(self.x, places),
            self.y.gather(1, places),
            beside(self.logits, places) if self.logits.shape[2] else None,
            self.first.gather(1, places),
        )
