"""A job that runs in a process of its own, as the fork server knows it:
what it says and prints, and which limit it is over.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

import msgspec

from bench.executors import processes
from bench.runs.spec import Job
from bench.texts import decode, encode

_MOST_PROCESSES = 256
"""More than these in one run's family are a fork bomb."""
_LOG = 8 << 10
"""Bytes of a run's output that are kept from its beginning, and as many from its end."""


_NOTHING = msgspec.Raw()


class _Message(msgspec.Struct):
    """What a run may say. Anything else on its pipe is not heard."""

    progress: float | None = None
    data: dict[str, dict[str, str]] | None = None
    results: msgspec.Raw = _NOTHING
    kept: msgspec.Raw = _NOTHING
    """Results that stand already, though more is to be said of them."""


_decoder = msgspec.json.Decoder(_Message)


def _read(line: bytes) -> _Message:
    """Read a line of a run's.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError:
        # results name files, and a path may hold bytes that are no UTF-8
        found = decode(line, dict[str, Any])
        if not found.keys() & {"results", "kept"}:
            raise
        results, kept = (
            msgspec.Raw(encode(found[name])) if name in found else _NOTHING
            for name in ("results", "kept")
        )
        return _Message(results=results, kept=kept)


class JobProcess:
    """A job that runs."""

    def __init__(self, job: Job, pid: int, talk: int, log: int) -> None:
        self.job, self.pid = job, pid
        self.handles = {talk: "talk", log: "log"}
        self.begun = time.monotonic()
        self.answered = 0.0
        self.cause = ""
        self.line = bytearray()
        self.head, self.tail, self.printed = b"", b"", 0

    def hear(self, data: bytes) -> list[dict[str, Any]]:
        """Take what came by its pipe and return what it said."""
        self.line += data
        if b"\n" not in data:
            return []
        *lines, self.line = self.line.split(b"\n")
        found: list[dict[str, Any]] = []
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
                said = _read(bytes(line))
                if said.results != _NOTHING:
                    self.answered = time.monotonic()
                    found.append({"id": self.job.id, "results": said.results})
                elif said.kept != _NOTHING:
                    self.begun = time.monotonic()  # what is counted takes a time of its own
                    found.append({"id": self.job.id, "kept": said.kept})
                elif said.data is not None:
                    found.append({"id": self.job.id, "data": said.data})
                elif said.progress is not None:
                    found.append({"id": self.job.id, "progress": said.progress})
        return found

    def note(self, data: bytes) -> None:
        """Take what it printed: the beginning and the end are kept."""
        self.printed += len(data)
        room = _LOG - len(self.head)
        self.head += data[:room]
        self.tail = (self.tail + data[room:])[-_LOG:]

    def log(self) -> str:
        """Return what is kept of its output."""
        left_out = self.printed - len(self.head) - len(self.tail)
        middle = f"\n... {left_out} bytes left out ...\n".encode() if left_out else b""
        return (self.head + middle + self.tail).decode(errors="replace")

    def over(self, now: float, family: list[processes.Process], base: tuple[int, int]) -> str:
        """Say which limit it is over: ``wall``, ``cpu``, ``memory`` or ``processes``; empty: none.

        Args:
            now: the clock.
            family: its processes.
            base: bytes that the server has resident, and that it holds of its own.
        """
        limits, runs = self.job.limits, len(self.job.specs)
        if limits.wall is not None and now - self.begun > limits.wall * runs:
            return "wall"
        if limits.cpu is not None and sum(process.cpu for process in family) > limits.cpu * runs:
            return "cpu"
        if (
            limits.memory is not None
            and sum(process.resident for process in family) > limits.memory + base[0]
        ):
            if sum(processes.held(process.pid) for process in family) > limits.memory + base[1]:
                return "memory"
        return "processes" if len(family) > _MOST_PROCESSES else ""
