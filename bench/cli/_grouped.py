"""What many runs have in common is said once: why they are not run, and how they failed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from bench.errors import listed

if TYPE_CHECKING:
    from bench.runs.plan import NotRun
    from bench.runs.record import Record

_NAMES = 3
"""Names that are said; of more, how many they are."""
_SHOWN = 3
"""Failures of one kind that are said one by one."""


def not_run_lines(items: Iterable[NotRun], unit: str) -> list[str]:
    """Say every reason once, with whom it concerns.

    Args:
        items: what is not run; a pair may be there many times.
        unit: what an item of a pair is, like ``runs``.
    """
    groups: dict[tuple[str, str], list[NotRun]] = {}
    for item in items:
        groups.setdefault((item.status, item.reason), []).append(item)
    lines = []
    for (status, reason), members in groups.items():
        methods, tasks = (
            _names([item.method for item in members], "methods"),
            _names([item.task for item in members], "tasks"),
        )
        lines.append(
            f"{status}: {methods} on {tasks}: {reason}"
            + (f" ({len(members)} {unit})" if len(members) > 1 else "")
        )
    return lines


def _names(names: Sequence[str], kind: str) -> str:
    unlike = list(dict.fromkeys(names))
    return f"{len(unlike)} {kind}" if len(unlike) > _NAMES else listed(unlike)


class Failures:
    """Says how runs failed while they run: the first ones of each kind,
    and at the end how many more there were.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._count: Counter[tuple[str, str, str]] = Counter()
        self._methods: dict[tuple[str, str, str], list[str]] = {}
        self._cut_off: list[Record] = []
        self._traced = ""

    def note(self, record: Record, label: str, rerun: str, show: str) -> None:
        """Take a record that is not ``ok``, what it is of, the command that runs it again, and the
        one that shows it. What the user cut off is no failure: :meth:`cut_off` says it.
        """
        if record.error is None:
            return
        if record.status == "interrupted":
            self._cut_off.append(record)
            return
        message = first_line(record)
        if record.status == "failed" and not self._traced:
            self._traced = show
        kind = record.status, record.error.type, alike(message)
        self._count[kind] += 1
        self._methods.setdefault(kind, []).append(record.method)
        if self._count[kind] <= _SHOWN:
            where = (
                f" ({record.error.frames[-1]})"
                if record.status == "failed" and record.error.frames
                else ""
            )
            self._say(
                f"{record.status}: {label}: {record.error.type}: {message}{where}. "
                f"See it again: {rerun}"
            )

    def cut_off(self) -> str:
        """Say which runs an interrupt cut off, in one part of a sentence; empty: none."""
        if not self._cut_off:
            return ""
        methods = _names([record.method for record in self._cut_off], "methods")
        tasks = _names([record.task for record in self._cut_off], "tasks")
        count = len(self._cut_off)
        runs = f"{count} runs" if count > 1 else "1 run"
        return f"{runs} of {methods} on {tasks} {'were' if count > 1 else 'was'} cut off"

    def end(self) -> None:
        """Say how many of each kind were not said one by one, and where a traceback is."""
        for (status, name, _), count in self._count.items():
            if count > _SHOWN:
                methods = _names(self._methods[status, name, _][_SHOWN:], "methods")
                self._say(
                    f"{status}: {count - _SHOWN} more runs of {methods} ended with {name} like "
                    "that; all of them are recorded."
                )
        if self._traced:
            self._say(f"the traceback of the first one: {self._traced}")


def first_line(record: Record) -> str:
    """Return the first line of what a record's error says."""
    return (
        (record.error.message.splitlines() or [""])[0].rstrip(".")
        if record.error is not None
        else ""
    )


def alike(message: str) -> str:
    """Return what messages of one kind share: all but their numbers."""
    return re.sub(r"\d+(\.\d+)?", "#", message)
