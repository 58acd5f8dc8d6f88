"""The executor for a debugger: every job runs in this process, one after the other, without a time limit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from bench.executors import Ended, Notice
from bench.runs.spec import Job
from bench.runs.worker import run_job


class InlineExecutor:
    """Runs jobs in this process."""

    def run(self, jobs: Sequence[Job], notice: Notice) -> Iterator[Ended]:
        """Run every job in turn."""
        for job in jobs:
            start = time.monotonic()
            results = run_job(job, lambda message, job=job: notice(job.id, message.get("progress", 0.0)))  # type: ignore[misc]
            yield Ended(job=job, results=results, seconds=time.monotonic() - start)
