"""The driver's end of the fork server."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import msgspec

from bench.executors.processes import OWNER, bury, name_of_owner
from bench.runs.provenance import THREADS
from bench.texts import decode, encode


def _with_huge_pages(tunables: str) -> str:
    """Add the use of huge pages to glibc's settings, unless they say something about it."""
    if "glibc.malloc.hugetlb" in tunables:
        return tunables
    return ":".join(filter(None, (tunables, "glibc.malloc.hugetlb=1")))


PINNED = {
    **{
        f"{name}_NUM_THREADS": str(THREADS)
        for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB")
    },
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PYTHONHASHSEED": "0",
    # a run prints what it likes, whatever the terminal's locale: its log is read as UTF-8
    "PYTHONIOENCODING": "utf-8:backslashreplace",
    # asking whether there is a GPU must not touch it, or no fork could use it
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    # Freed memory stays with the process, whatever its size: returning it to the system after every
    # step costs a sixth of a small net's time, and more than half of a convolution's of large ones.
    # A threshold would not do, since glibc knows none above 32 MiB.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "536870912",
    # Memory in pages of 2 MB, where the kernel has them, is quicker to share with a forked process
    # and to fill: a seventh of what an empty run takes.
    "GLIBC_TUNABLES": _with_huge_pages(os.environ.get("GLIBC_TUNABLES", "")),
}
"""Variables of every process that computes runs."""


_count = itertools.count()


class ServerGone(Exception):
    """The fork server ended by itself, or was killed."""


class Connection(contextlib.AbstractContextManager["Connection"]):
    """A running server: a thread reads what it says, so that hearing can have a time limit.

    Leaving ends it with all its runs.
    """

    def __init__(self, preload: list[str]) -> None:
        self._owner = f"{name_of_owner()}.{next(_count)}"
        self.ready = False
        """Whether it has loaded its libraries."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.executors.server", *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **PINNED, OWNER: self._owner},
            start_new_session=True,
        )
        self._queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                # what a plugin wrote where results are meant to be
                with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
                    self._queue.put(decode(line))
        self._queue.put(None)

    def say(self, message: dict[str, Any]) -> None:
        """Tell the server something.

        Raises:
            ServerGone: it is no more.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(encode(message) + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise ServerGone from None

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """Return what the server says next, or None after some seconds of silence.

        Raises:
            ServerGone: it is no more.
        """
        try:
            message = self._queue.get(timeout=seconds)
        except Empty:
            return None
        if message is None:
            raise ServerGone
        self.ready = self.ready or "ready" in message
        return message

    def nudge(self) -> None:
        """Let whoever hears hear an empty message now."""
        self._queue.put({})

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code:  # it could not see to its runs itself
            bury(self._owner)
        self._listener.join(timeout=5)
        self._process.stdout.close()
