"""The oracle of the track ``active-learning``: the only way to a target, and the ledger of what was
asked of it.

A method holds an :class:`Oracle`, from which nothing leads to the targets: its :class:`Ledger` is
in the hidden part of the case, and a table of this module says which belongs to which. As
everywhere in this package this stops accidents, not malice.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, NoReturn
from weakref import WeakValueDictionary

import torch

from bench.errors import InvalidRun

__all__ = ["Ledger", "Oracle"]


class Oracle:
    """Answers with the targets of rows, as long as the budget lasts and the method solves."""

    __slots__ = ("_token",)

    def __init__(self, ledger: Ledger) -> None:
        self._token = object()
        _LEDGERS[self._token] = ledger

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the targets of rows (k,), int64 in [0, N), in their order: labels (k,), int64;
        probabilities (k, C); or numbers (k,). A row of the start, or one asked before, costs
        nothing.

        Raises:
            InvalidRun: the rows are none, the budget is spent, or the method no longer solves.
        """
        return self._ledger().answer(rows)

    @property
    def left(self) -> int:
        """Rows that may still be asked."""
        ledger = self._ledger()
        return ledger.budget - len(ledger.rows)

    def _ledger(self) -> Ledger:
        ledger = _LEDGERS.get(self._token)
        if ledger is None:
            raise InvalidRun(
                "the oracle was asked after its run had ended; ask it within solve, as long as the "
                "problem is yours"
            )
        return ledger


class Ledger:
    """What was asked, and what may be.

    Args:
        targets: of all rows (N,) or (N, C), of any type of numbers.
        start: rows that are known from the start (n,), int64 in [0, N).
        budget: how many others may be asked.

    Attributes:
        budget: how many rows may be asked.
        rows: the rows asked, in their order; those of the start are not among them.
        requests: for each row the number of the request it came with, from 0 on.
        seconds: for each row when it was asked, counted from the making of the ledger.
        choosing: seconds between reports and the requests that followed them, together.
        offences: sentences about what was refused: a method that catches the error is invalid too.
    """

    def __init__(self, targets: torch.Tensor, start: torch.Tensor, budget: int) -> None:
        self.budget = budget
        self.rows: list[int] = []
        self.requests: list[int] = []
        self.seconds: list[float] = []
        self.choosing = 0.0
        self.offences: list[str] = []
        self._targets = targets
        self._start = frozenset(start.tolist())
        self._known = set(self._start)
        self._answered = 0
        self._shut = ""
        self._began = time.perf_counter()
        self._reported: float | None = None

    def answer(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the targets of rows (k,), and note what is new among them.

        Raises:
            InvalidRun: the rows are none, the budget is spent, or nobody may ask.
        """
        now = time.perf_counter()
        if self._shut:
            self._refuse(f"the oracle was asked {self._shut}; ask it within solve")
        numbers = self._numbers(rows)
        new = list(dict.fromkeys(row for row in numbers if row not in self._known))
        if len(self.rows) + len(new) > self.budget:
            self._refuse(
                f"the oracle was asked for {len(new)} more rows after {len(self.rows)} of a budget "
                f"of {self.budget}; ask for at most {self.budget - len(self.rows)}"
            )
        if new and self._reported is not None:
            self.choosing += now - self._reported
            self._reported = None
        self._known.update(new)
        self.rows += new
        self.requests += [self._answered] * len(new)
        self.seconds += [now - self._began] * len(new)
        self._answered += bool(new)
        return self._targets[torch.tensor(numbers, dtype=torch.int64, device=self._targets.device)]

    def _numbers(self, rows: Any) -> list[int]:
        if not isinstance(rows, torch.Tensor) or rows.dim() != 1 or rows.dtype != torch.int64:
            came = (
                f"{str(rows.dtype).removeprefix('torch.')} of shape {tuple(rows.shape)}"
                if isinstance(rows, torch.Tensor)
                else type(rows).__name__
            )
            self._refuse(f"the oracle was asked with {came}, and takes numbers of rows (k,), int64")
        numbers: list[int] = rows.tolist()
        if strange := [row for row in numbers if not 0 <= row < len(self._targets)]:
            self._refuse(
                f"the oracle was asked for row {strange[0]}, and the rows are 0 to "
                f"{len(self._targets) - 1}"
            )
        return numbers

    def _refuse(self, sentence: str) -> NoReturn:
        self.offences.append(sentence)
        raise InvalidRun(sentence)

    @contextlib.contextmanager
    def looking(self, labels: int) -> Iterator[None]:
        """Answer nobody while a model is looked at that is said to know ``labels`` targets.

        Raises:
            InvalidRun: more than these were given out.
        """
        if len(self._known) > labels:
            self._refuse(
                f"a model was reported as one of {labels} labels when {len(self._known)} were "
                "known; report it before the oracle is asked for more"
            )
        before, self._shut = self._shut, "while a model is looked at"
        try:
            yield
        finally:
            self._shut, self._reported = before, time.perf_counter()

    def close(self) -> None:
        """Answer nobody any more."""
        self._shut = "after solve"

    def settle(self, rows: torch.Tensor) -> None:
        """Hold the rows that a solution says it asked (k,) against those that it did.

        Raises:
            InvalidRun: they differ, or something was refused.
        """
        if self.offences:
            raise InvalidRun(self.offences[0])
        said, asked = set(rows.tolist()), set(self.rows)
        if extra := sorted(said - asked):
            raise InvalidRun(
                f"the solution lists row {extra[0]}, which was not asked; list the rows that were"
            )
        if lacking := sorted(asked - said):
            raise InvalidRun(
                f"the solution does not list row {lacking[0]}, which was asked; list all that were"
            )


_LEDGERS: WeakValueDictionary[object, Ledger] = WeakValueDictionary()
"""By the token of the oracle; a global, since what an object holds its user can follow."""
