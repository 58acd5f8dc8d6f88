"""Executors: where jobs run. Each takes jobs and yields, as they end, what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

    def run(self, jobs: Sequence[Job], notice: Notice) -> Iterator[Ended]:
        """Run every job and yield each once, in the order they end."""
        ...
