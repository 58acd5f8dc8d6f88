"""Executors: where jobs run. Each takes jobs and yields, as they end, what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec

from bench.runs.result import Result
from bench.runs.spec import Job


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What computed a run elsewhere, as the machine itself says: the part
    of it that belongs to the key, and the rest.
    """

    files: dict[str, str]
    """Digests of the code that was reached, by module."""
    environment: dict[str, Any]
    machine: dict[str, Any]


class Ended(msgspec.Struct, kw_only=True):
    """A job that ended: with a result for each of its specs, or because
    its process died or was killed (``status``).
    """

    job: Job
    results: list[Result] | None
    status: str = ""
    message: str = ""
    log: str = ""
    seconds: float = 0.0
    data: dict[str, dict[str, str]] = {}
    """Cell -> the data that a run without result had loaded before it ended."""
    origin: Origin | None = None
    """None: this machine."""


Notice = Callable[[str, float], None]
"""Called with a job's id and its progress from 0 to 1."""


class Executor(Protocol):
    """Runs jobs."""

    enforces_limits: bool
    """Whether it keeps runs within their limits."""

    def run(self, jobs: Iterator[Job | None], notice: Notice) -> Iterator[Ended]:
        """Run every job and yield each once, in the order they end.

        Args:
            jobs: asked for the next one whenever there is room; None says that there is none just
                now, but may be later.
            notice: told of progress.

        Raises:
            KeyboardInterrupt: it was interrupted; every job that had begun has been yielded.
        """
        ...
