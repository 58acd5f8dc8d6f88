"""The executor for a debugger: every job runs in this process, one after
the other, without limits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.executors import Ended, Notice
from bench.runs.run_job import run_job
from bench.runs.spec import Job

_PAUSE = 0.2


class InlineExecutor:
    """Runs jobs in this process."""

    enforces_limits = False

    def run(self, jobs: Iterator[Job | None], notice: Notice) -> Iterator[Ended]:
        """Run every job in turn."""
        for job in jobs:
            if job is None:
                time.sleep(_PAUSE)
                continue
            start = time.monotonic()
            results = run_job(
                job,
                lambda message, job=job: (  # type: ignore[misc]
                    notice(job.id, message["progress"]) if "progress" in message else None
                ),
            )
            yield Ended(job=job, results=results, seconds=time.monotonic() - start)
