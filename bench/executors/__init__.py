"""Executors: where jobs run. Each takes jobs and yields, as they end, what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from bench.runs.result import Result
from bench.runs.spec import Job


class Ended(msgspec.Struct, kw_only=True):
    """A job that ended: with a result for each of its specs, or because its process died or was killed (``status``)."""

    job: Job
    results: list[Result] | None
    status: str = ""
    message: str = ""
    log: str = ""
    seconds: float = 0.0


Notice = Callable[[str, float], None]
"""Called with a job's id and its progress from 0 to 1."""


class Executor(Protocol):
    """Runs jobs."""

    confines: bool
    """Whether it keeps runs within their limits."""

    def run(self, jobs: Iterator[Job | None], notice: Notice) -> Iterator[Ended]:
        """Run every job and yield each once, in the order they end.

        Args:
            jobs: asked for the next one whenever there is room; None says that there is none just now, but may be later.
            notice: told of progress.

        Raises:
            KeyboardInterrupt: it was interrupted; every job that had begun has been yielded.
        """
        ...
