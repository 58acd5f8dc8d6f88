"""The local executor: drives a fork server, a process a job, with a time limit that really kills."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import msgspec

from bench.errors import EnvironmentFault
from bench.executors import Ended, Notice
from bench.runs.provenance import THREADS
from bench.runs.result import Result
from bench.runs.spec import Job

_GRACE = 2.0
"""Seconds between the server saying that a run is killed and our giving the run up."""

_PINNED = {
    **{f"{name}_NUM_THREADS": str(THREADS) for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB")},
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PYTHONHASHSEED": "0",
    # Freed memory stays with the process: returning it to the system after every step costs a sixth of a small net's time.
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "536870912",
}
_SIGNALS = {
    -11: "segmentation fault",
    -9: "killed, most likely by the system for want of memory",
    -6: "abort",
    -4: "illegal instruction",
    -7: "bus error",
    -8: "arithmetic error",
    -15: "terminated",
}


class _Running(msgspec.Struct):
    job: Job
    limit: float
    started: float | None = None
    """When its process was forked; its time runs from there, not from the server's start."""
    results: list[Result] | None = None
    killed: bool = False


class LocalExecutor:
    """Runs up to ``parallel`` jobs at a time, each in a process forked from a server that has loaded ``preload``."""

    def __init__(self, parallel: int, preload: Sequence[str]) -> None:
        self._parallel, self._preload = parallel, list(preload)

    def run(self, jobs: Sequence[Job], notice: Notice) -> Iterator[Ended]:
        """Run every job and yield each as it ends. Leaving the loop early kills what still runs."""
        waiting = deque(jobs)
        with _Connection(self._preload) as server:
            running: dict[str, _Running] = {}
            while waiting or running:
                while waiting and len(running) < self._parallel:
                    job = waiting.popleft()
                    Path(job.workdir).mkdir(parents=True, exist_ok=True)
                    server.say({"start": job})
                    running[job.id] = _Running(job, job.timeout * len(job.specs))
                message = server.hear(0.1)
                if message is not None:
                    ended = self._take(message, running, notice)
                    if ended is not None:
                        yield ended
                self._overdue(running, server)

    def _take(self, message: dict[str, Any], running: dict[str, _Running], notice: Notice) -> Ended | None:
        run = running.get(message.get("id", ""))
        if run is None:
            return None
        if "started" in message:
            run.started = time.monotonic()
        elif "progress" in message:
            notice(run.job.id, float(message["progress"]))
        elif "results" in message:
            run.results = msgspec.convert(message["results"], list[Result])
        elif "exit" in message:
            running.pop(run.job.id)
            return _ended(run, int(message["exit"]))
        return None

    def _overdue(self, running: dict[str, _Running], server: _Connection) -> None:
        now = time.monotonic()
        for run in list(running.values()):
            late = -1.0 if run.started is None else now - run.started - run.limit
            if late > 0 and not run.killed and run.results is None:
                run.killed = True
                server.say({"kill": run.job.id})
            elif late > _GRACE and run.results is not None and not run.killed:
                run.killed = True  # it has its results and does not end: a thread of the plugin's holds it
                server.say({"kill": run.job.id})


def _ended(run: _Running, code: int) -> Ended:
    seconds = time.monotonic() - (run.started or time.monotonic())
    log = ""
    with contextlib.suppress(OSError):
        data = (Path(run.job.workdir) / "log.txt").read_bytes()[-4000:]
        log = data.decode(errors="replace")
    if run.results is not None:
        return Ended(job=run.job, results=run.results, log=log, seconds=seconds)
    if run.killed:
        return Ended(
            job=run.job, results=None, status="timeout", message=f"it ran longer than its limit of {run.limit:g} s and was killed", log=log, seconds=seconds
        )
    how = _SIGNALS.get(code, f"signal {-code}") if code < 0 else f"it left with exit code {code} and no result"
    return Ended(job=run.job, results=None, status="oom" if code == -9 else "crashed", message=f"the process of the run died: {how}", log=log, seconds=seconds)


class _Connection:
    """A running server: a thread reads what it says, so that hearing can have a time limit."""

    def __init__(self, preload: list[str]) -> None:
        environment = {**os.environ, **_PINNED}
        command = [sys.executable, "-m", "bench.executors.server"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
        )
        self._queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        Thread(target=self._listen, daemon=True).start()
        self.say({"preload": preload})

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                self._queue.put(msgspec.json.decode(line))
        self._queue.put(None)

    def say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise EnvironmentFault("the fork server ended by itself; run the same command again, or with --executor inline to see why.") from None

    def hear(self, seconds: float) -> dict[str, Any] | None:
        try:
            message = self._queue.get(timeout=seconds)
        except Empty:
            return None
        if message is None:
            raise EnvironmentFault("the fork server ended by itself; run the same command again, or with --executor inline to see why.")
        return message

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
