"""How far runs are, in one line of a terminal that changes: it never wraps, and what is said
meanwhile begins on a line of its own.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, ClassVar

from bench.cli._notebook import in_words
from bench.texts import printable

if TYPE_CHECKING:
    from typing import Self

    from bench.runs.keys import Keyed

_EVERY = 0.1
"""Seconds between two changes of the line while nothing ends."""
_BAR = (8, 30)
"""Least and most characters of the bar."""


class Bar:
    """The line on stderr. It is drawn last: :meth:`aside` makes room for other words."""

    _drawn: ClassVar[list[Bar]] = []

    def __init__(self, total: int, cached: int) -> None:
        """A line for ``total`` runs, beside ``cached`` that are recorded already."""
        self._total, self._cached = total, cached
        self._fractions: dict[str, float] = {}
        self._finished, self._label = 0, ""
        self._began, self._last = time.monotonic(), 0.0

    def __enter__(self) -> Self:
        """Begin to show it."""
        self._drawn.append(self)
        self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it as it is, and begin a new line."""
        self._draw()
        self._drawn.remove(self)
        sys.stderr.write("\n")
        sys.stderr.flush()

    def notice(self, identity: str, fraction: float) -> None:
        """Note how far a job is."""
        self._fractions[identity] = min(fraction, 0.99)
        if time.monotonic() - self._last >= _EVERY:
            self._draw()

    def advance(self, keyed: Keyed) -> None:
        """Note that a run has ended."""
        self._finished, self._label = self._finished + 1, keyed.cell.spec.label()
        self._fractions.clear()
        self._draw()

    @classmethod
    def aside(cls) -> None:
        """Clear the line, so that other words can be printed; the next change draws it again."""
        for bar in cls._drawn:
            bar._clear()

    def text(self, width: int) -> str:
        """Return the line in at most ``width`` characters: how many have ended first, then how long
        the others take, what ended last, and a bar.
        """
        done = min(self._finished + sum(self._fractions.values()), self._total)
        share = done / self._total
        left = (time.monotonic() - self._began) * (1 - share) / share if share > 0.02 else 0.0
        parts = [f"{self._finished}/{self._total} runs", f"{100 * share:.0f} %"]
        more = [
            f"about {in_words(left)} left" if left and share < 1 else "",
            printable(self._label),
            f"{self._cached} recorded already" if self._cached else "",
        ]
        for part in filter(None, more):
            if len("  ".join([*parts, part])) <= width:
                parts.append(part)
        room = min(width - len("  ".join(parts)) - 4, _BAR[1])
        if room >= _BAR[0]:
            parts.insert(1, f"[{'#' * round(room * share):-<{room}}]")
        return "  ".join(parts)[:width]

    def _draw(self) -> None:
        self._last, width = time.monotonic(), self._width()
        sys.stderr.write(f"\r{self.text(width):<{width}}\r")
        sys.stderr.flush()

    def _clear(self) -> None:
        sys.stderr.write(f"\r{'':<{self._width()}}\r")

    @staticmethod
    def _width() -> int:
        """Return the columns that the line may take: the last one is left
        free, since some terminals wrap at it.
        """
        try:
            found = (
                0
                if os.environ.get("COLUMNS")
                else os.get_terminal_size(sys.stderr.fileno()).columns
            )
        except (OSError, ValueError):
            found = 0
        return max(1, (found or shutil.get_terminal_size().columns) - 1)
