"""The fork server: a program that preloads libraries once and forks a process a job. Speaks JSON lines on its pipes.

It reads ``{"preload": [names]}``, ``{"start": job}`` and ``{"kill": id}``; it writes ``{"ready": seconds}``,
``{"id": ..., "started": pid}``, ``{"id": ..., "progress": ...}``, ``{"id": ..., "results": [...]}`` and ``{"id": ..., "exit": code}``. It never touches a
GPU. When its input ends, because the driver ended or died, it kills every job and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.runs.spec import Job

_PR_SET_CHILD_SUBREAPER = 36


class _Server:
    def __init__(self) -> None:
        self.out = os.dup(1)
        os.dup2(2, 1)  # what plugins print at import is talk, not protocol
        self.selector = selectors.DefaultSelector()
        self.selector.register(0, selectors.EVENT_READ, "driver")
        self.bell, ring = os.pipe()  # a run that ends rings it, so that no ending waits for a time-out
        os.set_blocking(self.bell, False)
        os.set_blocking(ring, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        self.selector.register(self.bell, selectors.EVENT_READ, "bell")
        self.buffers: dict[int, bytes] = {0: b""}
        self.pids: dict[str, int] = {}
        self.pipes: dict[int, str] = {}

    def say(self, message: dict[str, Any]) -> None:
        data = memoryview(msgspec.json.encode(message) + b"\n")
        while data:
            data = data[os.write(self.out, data) :]

    def preload(self, names: list[str]) -> None:
        start = time.perf_counter()
        for name in names:
            with contextlib.suppress(Exception):  # the run that needs it will say what is wrong
                importlib.import_module(name)
        self.say({"ready": time.perf_counter() - start})

    def start(self, job: Job) -> None:
        read, write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _child(job, write)
        os.close(write)
        os.set_blocking(read, False)
        self.selector.register(read, selectors.EVENT_READ, job.id)
        self.buffers[read], self.pids[job.id], self.pipes[read] = b"", pid, job.id
        self.say({"id": job.id, "started": pid})

    def kill(self, identity: str) -> None:
        pid = self.pids.get(identity)
        if pid is not None:
            _kill_tree(pid)

    def loop(self) -> None:
        while True:
            for key, _ in self.selector.select():
                if key.fd == self.bell:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.bell, 4096)
                elif key.fd in self.buffers and not self._read(key.fd):
                    return
            self._reap()

    def _read(self, handle: int) -> bool:
        """Take what a pipe holds; False when the driver is gone."""
        try:
            data = os.read(handle, 1 << 20)
        except BlockingIOError:
            return True
        if not data:
            if handle == 0:
                return False
            self.selector.unregister(handle)
            os.close(handle)
            self.pipes.pop(handle)
            self.buffers.pop(handle)
            self._reap()
            return True
        *lines, self.buffers[handle] = (self.buffers[handle] + data).split(b"\n")
        for line in lines:
            message = msgspec.json.decode(line)
            if handle != 0:
                self.say({"id": self.pipes[handle], **message})
            elif "preload" in message:
                self.preload(message["preload"])
            elif "start" in message:
                self.start(msgspec.convert(message["start"], Job))
            elif "kill" in message:
                self.kill(message["kill"])
        return True

    def _reap(self) -> None:
        """Report runs that ended once their pipe is drained, and kill what they left behind."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            identity = next((identity for identity, known in self.pids.items() if known == pid), None)
            if identity is None:
                continue
            self.pids.pop(identity)
            _kill_tree(pid, own=False)
            self._kill_orphans()
            for handle in [handle for handle, name in self.pipes.items() if name == identity]:
                while handle in self.pipes and self._drain(handle):
                    pass
            self.say({"id": identity, "exit": os.waitstatus_to_exitcode(status)})

    def _drain(self, handle: int) -> bool:
        before = self.buffers[handle]
        self._read(handle)
        return handle in self.buffers and self.buffers[handle] != before

    def _kill_orphans(self) -> None:
        """Kill processes that came to this subreaper because the run that started them ended."""
        known = set(self.pids.values())
        for child in psutil.Process().children():
            if child.pid not in known:
                _kill_tree(child.pid)

    def close(self) -> None:
        for pid in self.pids.values():
            _kill_tree(pid)
        self._kill_orphans()


def _kill_tree(pid: int, own: bool = True) -> None:
    """Kill a process, its descendants and its process group."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if own:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _child(job: Job, write: int) -> None:
    """Run a job in the forked process; never returns."""
    code = 70
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        log = os.open(Path(job.workdir) / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        from bench.runs.worker import run_job

        def send(message: dict[str, Any]) -> None:
            data = memoryview(msgspec.json.encode(message) + b"\n")
            while data:
                data = data[os.write(write, data) :]

        send({"results": run_job(job, send)})
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = _Server()
    try:
        server.loop()
    finally:
        server.close()
        os._exit(0)  # nothing is left to write, and taking torch down in good order takes a second


if __name__ == "__main__":
    main()
