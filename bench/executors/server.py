"""The fork server: a program that preloads libraries once, forks a process a job, and keeps each
within its limits.

Its arguments are the modules to preload. It speaks JSON lines on its pipes: it reads ``{"start":
job, "environment": {}}`` and ``{"kill": id}``; it writes ``{"ready": seconds, "left_out":
[modules]}`` and, with the ``id`` of a job, ``started``, ``progress``, ``data``, ``results`` and at
last ``exit``, ``cause`` and ``log``. It never touches a GPU. When its input ends, because the
driver ended or died, it kills every run and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import sys
import time
from typing import Any, NoReturn

import msgspec

from bench.executors import processes
from bench.executors.child import serve
from bench.executors.job_process import JobProcess
from bench.executors.preloading import preload, warm
from bench.runs import loaded_modules
from bench.runs.spec import Job
from bench.texts import decode, encode

_PR_SET_CHILD_SUBREAPER = 36
_POLL = 0.2
"""Seconds between two looks at what the runs use; more where a look takes
long, up to :data:`_RAREST`.
"""
_RAREST = 1.0
_GRACE = 2.0
"""Seconds that a run has to end after it gave its results."""
_PATIENCE = 5.0
"""Seconds in which what is killed must be gone; a process that hangs in
the kernel is left to it.
"""
_LINE = 64 << 20
"""Bytes of the longest message of a run."""


class _Server:
    def __init__(self) -> None:
        self.out = os.dup(1)
        os.dup2(2, 1)  # what plugins print at import is talk, not protocol
        self.selector = selectors.DefaultSelector()
        self.selector.register(0, selectors.EVENT_READ)
        # a run that ends rings it, so that no ending waits for a time-out
        self.bell, self.ring = os.pipe()
        os.set_blocking(self.bell, False)
        os.set_blocking(self.ring, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.ring, warn_on_full_buffer=False)
        self.selector.register(self.bell, selectors.EVENT_READ)
        self.input = b""
        self.runs: dict[int, JobProcess] = {}
        self.handles: dict[int, JobProcess] = {}
        self.spared: set[int] = set()
        self.base = (0, 0)
        self.looked, self.pause = 0.0, _POLL

    def say(self, message: dict[str, Any]) -> None:
        data = memoryview(encode(message) + b"\n")
        while data:
            data = data[os.write(self.out, data) :]

    def preload(self, names: list[str]) -> None:
        start = time.perf_counter()
        # What libraries make while they are imported lives on: to look for garbage in it takes a
        # fifth of the start, and in every run writes on memory that is shared with the server.
        gc.disable()
        left_out = preload(names, self._begin_anew)
        loaded_modules.below(())  # sorted once, for all that are forked
        gc.freeze()
        gc.enable()
        found = processes.table()
        # what a library started at import
        self.spared = {process.pid for process in found.values() if process.parent == os.getpid()}
        self.base = (found[os.getpid()].resident, processes.held(os.getpid()))
        self.say({"ready": time.perf_counter() - start, "left_out": left_out})

    def _begin_anew(self, names: list[str]) -> NoReturn:
        """Become a server that has imported nothing: once CUDA has started
        here, no forked process could use a GPU.
        """
        os.dup2(self.out, 1)
        os.execv(sys.executable, [sys.executable, "-m", "bench.executors.server", *names])  # noqa: S606 - no shell, and what it runs is this module

    def start(self, job: Job, environment: dict[str, str]) -> None:
        warm(job)
        (talk, said), (log, printed) = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            foreign = [
                self.out,
                self.bell,
                self.ring,
                self.selector.fileno(),
                talk,
                log,
                *self.handles,
            ]
            serve(job, environment, said, printed, foreign)
        os.close(said)
        os.close(printed)
        run = self.runs[pid] = JobProcess(job, pid, talk, log)
        for handle in (talk, log):
            os.set_blocking(handle, False)
            self.selector.register(handle, selectors.EVENT_READ)
            self.handles[handle] = run
        self.say({"id": job.id, "started": pid})

    def loop(self) -> None:
        while True:
            wait = self.pause if self.runs else None
            for key, _ in self.selector.select(wait):
                if key.fd == self.bell:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.bell, 4096)
                elif key.fd == 0:
                    if not self._obey():
                        return
                elif key.fd in self.handles:
                    self._hear(key.fd)
            self._reap()
            if self.runs and time.monotonic() - self.looked > self.pause:
                self._look()

    def _obey(self) -> bool:
        """Do what the driver says; False when it is gone."""
        data = os.read(0, 1 << 20)
        if not data:
            return False
        *lines, self.input = (self.input + data).split(b"\n")
        for line in lines:
            message = decode(line)
            if "start" in message:
                self.start(msgspec.convert(message["start"], Job), message["environment"])
            elif "kill" in message:
                for run in [run for run in self.runs.values() if run.job.id == message["kill"]]:
                    self._end(run, "asked")
        return True

    def _hear(self, handle: int) -> bool:
        """Take what a run's pipe holds; False when there is nothing more."""
        run = self.handles[handle]
        try:
            data = os.read(handle, 1 << 18)
        except BlockingIOError:
            return False
        if run.handles[handle] == "log":
            run.note(data)
        else:
            for message in run.hear(data):
                self.say(message)
        if not data or len(run.line) > _LINE:
            self._close(handle)
            return False
        return True

    def _close(self, handle: int) -> None:
        self.selector.unregister(handle)
        os.close(handle)
        del self.handles[handle]

    def _look(self) -> None:
        """See what every run uses, and end those over a limit and whatever
        slipped away from them.
        """
        start = time.monotonic()
        members, strays = self._families()
        processes.kill(stray for stray in strays if stray.pid not in self.spared)
        for pid, family in members.items():
            run = self.runs[pid]
            # it has its results and does not end: a thread of the plugin's holds it
            if run.answered:
                if start - run.answered > _GRACE:
                    self._end(run, "answered")
            elif cause := run.over(start, family, self.base):
                self._end(run, cause)
        self.looked = time.monotonic()
        self.pause = min(_RAREST, max(_POLL, 20 * (self.looked - start)))

    def _families(self) -> tuple[dict[int, list[processes.Process]], list[processes.Process]]:
        here = os.getpid()
        return processes.families(processes.descendants(here), here, self.runs)

    def _end(self, run: JobProcess, cause: str) -> None:
        """Kill a run with all that it started."""
        run.cause = run.cause or cause
        if cause:  # it lives, so its number is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(run.pid, signal.SIGKILL)
        patience = time.monotonic() + _PATIENCE
        while time.monotonic() < patience:
            members, strays = self._families()
            left = [
                *members.get(run.pid, []),
                *(stray for stray in strays if stray.pid not in self.spared),
            ]
            if not left:
                return
            processes.kill(left)
            time.sleep(0.002)

    def _reap(self) -> None:
        """Report runs that ended once their pipes are drained, and kill what they left behind."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            run = self.runs.get(pid)
            if run is None:
                continue
            self._end(run, "")
            for handle in [handle for handle, owner in self.handles.items() if owner is run]:
                while self._hear(handle):
                    pass
                if handle in self.handles:
                    self._close(handle)
            del self.runs[pid]
            self.say(
                {
                    "id": run.job.id,
                    "exit": os.waitstatus_to_exitcode(status),
                    "cause": run.cause,
                    "log": run.log(),
                }
            )

    def close(self) -> None:
        """Kill every run and all that descends from this process."""
        self.spared.clear()
        for run in list(self.runs.values()):
            self._end(run, "asked")
        patience = time.monotonic() + _PATIENCE
        while (
            strays := processes.families(processes.table(), os.getpid(), ())[1]
        ) and time.monotonic() < patience:
            processes.kill(strays)
            time.sleep(0.002)


def main() -> None:
    """Serve until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the driver decides what they mean
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = _Server()
    try:
        server.preload(sys.argv[1:])
        server.loop()
    finally:
        server.close()
        os._exit(0)  # nothing is left to write, and taking torch down in good order takes a second


if __name__ == "__main__":
    main()
