"""The local executor: drives a fork server, a process a job, with limits that really kill."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import msgspec

from bench.errors import EnvironmentFault
from bench.executors import Ended, Notice
from bench.executors.child import NO_MEMORY
from bench.executors.connection import Connection, ServerGone
from bench.executors.interrupts import CUT_OFF, Interrupts
from bench.executors.processes import bury
from bench.executors.slots import Slots, environment
from bench.runs.result import Result
from bench.runs.spec import Job

_SIGNALS = {
    -11: "segmentation fault",
    -9: "killed from outside, most likely by the system for want of memory",
    -6: "abort",
    -4: "illegal instruction",
    -7: "bus error",
    -8: "arithmetic error",
    -15: "terminated",
    -24: "its limit of processor time",
}
_MIB = 2**20


class _Running(msgspec.Struct):
    job: Job
    place: str
    since: float
    results: list[Result] | None = None
    counting: bool = False
    data: dict[str, dict[str, str]] = {}
    killed: bool = False


class LocalExecutor:
    """Runs jobs at the places of ``slots``, each in a process forked from a server that has loaded
    ``preload``.

    A job whose server died is tried once more with nothing beside it, so that only the one that
    kills servers is blamed for it.
    """

    enforces_limits = True

    def __init__(
        self, slots: Slots, preload: Sequence[str], say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._slots, self._preload = slots, list(preload)
        self._running: dict[str, _Running] = {}
        self._alone: deque[Job] = deque()
        self._tried: set[str] = set()
        self._server: Connection | None = None
        self._interrupts = Interrupts(say)

    def nudge(self) -> None:
        """Have jobs asked for now, where there is room; to be called from another thread."""
        if (server := self._server) is not None:
            server.nudge()

    def stop(self) -> None:
        """Cut off what runs, as Ctrl-C twice does; to be called from another thread."""
        self._interrupts.stop()
        self.nudge()

    def run(self, jobs: Iterator[Job | None], notice: Notice) -> Iterator[Ended]:
        """Run every job and yield each as it ends. Leaving the loop early kills what still runs."""
        bury()
        with self._interrupts as interrupts:
            more = True
            while more or self._alone:
                with Connection(self._preload) as server:
                    self._server = server
                    try:
                        more = yield from self._serve(server, jobs, more, interrupts, notice)
                    except ServerGone:
                        if not server.ready:
                            raise EnvironmentFault(
                                "the fork server ended while it started; try --executor inline to "
                                "see why."
                            ) from None
                        yield from self._orphaned()
                if interrupts.asked:
                    raise KeyboardInterrupt

    def _serve(
        self,
        server: Connection,
        jobs: Iterator[Job | None],
        more: bool,
        interrupts: Interrupts,
        notice: Notice,
    ) -> Generator[Ended, None, bool]:
        """Run jobs on one server until none is left (then return False),
        or a signal asks to stop.
        """
        while True:
            if not interrupts.asked:
                more = self._fill(server, jobs, more)
            elif interrupts.due:
                self._kill_all(server)
            if not self._running and (interrupts.asked or not (more or self._alone)):
                return more
            message = server.hear(0.1)
            ended = self._take(message, notice) if message is not None else None
            if ended is not None:
                if not interrupts.asked:
                    # before whoever takes the results spends time on them
                    more = self._fill(server, jobs, more)
                yield ended

    def _fill(self, server: Connection, jobs: Iterator[Job | None], more: bool) -> bool:
        """Start what there is room for; return whether ``jobs`` may have more."""
        if self._alone:
            if not self._running and (place := self._slots.take()) is not None:
                self._start(server, self._alone.popleft(), place)
            return more
        while more and (place := self._slots.take()) is not None:
            try:
                job = next(jobs)
            except StopIteration:
                job, more = None, False
            if job is None:
                self._slots.give_back(place)
                return more
            self._start(server, job, place)
        return more

    def _start(self, server: Connection, job: Job, place: str) -> None:
        self._running[job.id] = _Running(job, place, time.monotonic())
        server.say({"start": job, "environment": environment(place)})

    def _kill_all(self, server: Connection) -> None:
        for run in self._running.values():
            if not run.killed:
                run.killed = True
                server.say({"kill": run.job.id})

    def _take(self, message: dict[str, Any], notice: Notice) -> Ended | None:
        run = self._running.get(message.get("id", ""))
        if run is None:
            return None
        if "started" in message:
            run.since = time.monotonic()
        elif "progress" in message:
            notice(run.job.id, float(message["progress"]))
        elif "kept" in message:
            run.results, run.counting = _results(message["kept"], len(run.job.specs)), True
        elif "data" in message:
            run.data |= message["data"]
        elif "results" in message:
            run.results, run.counting = _results(message["results"], len(run.job.specs)), False
        elif "exit" in message:
            self._running.pop(run.job.id)
            self._slots.give_back(run.place)
            return _ended(run, int(message["exit"]), message["cause"], message["log"])
        return None

    def _orphaned(self) -> Iterator[Ended]:
        """See to the jobs of a server that died: each gets one more try by itself."""
        for run in self._running.values():
            self._slots.give_back(run.place)
            if run.results is not None:
                yield _ended(run, 0, "", "")
            elif run.job.id in self._tried:
                yield _without_result(
                    run,
                    "crashed",
                    "the fork server died while it ran, twice; does it kill processes that are "
                    "not its own?",
                    "",
                )
            else:
                self._tried.add(run.job.id)
                self._alone.append(run.job)
        self._running.clear()


def _results(found: Any, count: int) -> list[Result] | None:
    """Return results as they were meant; None where a plugin wrote something else on the pipe."""
    try:
        results = msgspec.convert(found, list[Result])
    except msgspec.MsgspecError:
        return None
    return results if len(results) == count else None


def _ended(run: _Running, code: int, cause: str, log: str) -> Ended:
    if run.results is not None:
        if run.counting:
            for spec, result in zip(run.job.specs, run.results, strict=True):
                if spec.seed in run.job.count and result.status == "ok":
                    result.warnings.append("operations not counted: the second pass was cut off")
        return Ended(
            job=run.job, results=run.results, log=log, seconds=time.monotonic() - run.since
        )
    limits, runs = run.job.limits, len(run.job.specs)
    memory = (
        f"its limit of {limits.memory / _MIB:g} MiB beyond the start"
        if limits.memory is not None
        else "what the machine has"
    )
    match cause:
        case "wall":
            return _without_result(
                run,
                "timeout",
                f"it ran longer than its limit of {(limits.wall or 0) * runs:g} s and was killed",
                log,
            )
        case "cpu":
            return _without_result(
                run,
                "timeout",
                f"it used more processor time than its limit of {(limits.cpu or 0) * runs:g} s "
                "and was killed",
                log,
            )
        case "memory":
            return _without_result(
                run,
                "oom",
                f"with all it started it held more memory than {memory} and was killed",
                log,
            )
        case "processes":
            return _without_result(
                run, "crashed", "it started more than 256 processes and was killed", log
            )
        case "asked":
            return _without_result(run, "interrupted", CUT_OFF, log)
        case "answered":
            return _without_result(
                run, "crashed", "it gave a result that can't be read and did not end", log
            )
    if code == NO_MEMORY or (code == -6 and "std::bad_alloc" in log):
        return _without_result(run, "oom", f"it wanted more memory than {memory}", log)
    if code == -24:
        return _without_result(
            run, "timeout", f"the process of the run died: {_SIGNALS[code]}", log
        )
    how = (
        _SIGNALS.get(code, f"signal {-code}")
        if code < 0
        else f"it left with exit code {code} and no result"
    )
    return _without_result(
        run, "oom" if code == -9 else "crashed", f"the process of the run died: {how}", log
    )


def _without_result(run: _Running, status: str, message: str, log: str) -> Ended:
    return Ended(
        job=run.job,
        results=None,
        status=status,
        message=message,
        log=log,
        seconds=time.monotonic() - run.since,
        data=run.data,
    )
