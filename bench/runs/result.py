"""What comes of a run: the part of a record that the worker knows."""

from __future__ import annotations

import contextlib
import errno
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import blamed
from bench.runs.record import Flops
from bench.runs.record_calls import wrong_call
from bench.texts import escaped, readable, text_of

_STATUSES = {
    "DataUnavailable": "unavailable",
    "InvalidRun": "invalid",
    "MemoryError": "oom",
    "OutOfMemoryError": "oom",
}
"""Name of an error or of a base of it -> status; any other error is ``failed``."""

_NO_MEMORY = (
    "can't allocate memory",
    "DefaultCPUAllocator",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)
"""What torch says, in a plain RuntimeError, when there is no memory."""

MEMORY_RESERVE = 64 << 20
"""Bytes beyond its limit that a run may use to say that it ran out of memory."""


class Result(msgspec.Struct, kw_only=True):
    """What a worker says of one spec: the part of a record that it knows.

    ``status`` may also be ``unavailable``.
    """

    status: str
    metrics: dict[str, float | None] = {}
    data: dict[str, str] | None = None
    """Fingerprint of every dataset that was loaded, by its call, and of every file that task or
    method opened; None: it ended before it could say.
    """
    gates: dict[str, bool] = {}
    not_rankable: str | None = None
    cost: dict[str, float | None] = {}
    counters: dict[str, int] = {}
    flops: Flops | None = None
    curve: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    images: dict[str, str] = {}
    digests: dict[str, str] = {}
    arrays: str = ""
    files: str = ""
    error: dict[str, Any] | None = None
    warnings: list[str] = []
    flags: dict[str, Any] = {}
    choices: dict[str, str] = {}
    """What was chosen by a tuned table, with the shape: see :mod:`bench.training.tuned`."""
    started: str = ""
    ended: str = ""


_SHARED = tuple(Path(__file__).absolute().parents[1] / name for name in ("training", "tracks"))
"""Folders of loops that call methods: an error there is most likely of what a method returned."""


def failed(error: BaseException) -> Result:
    """Return the result of a run that raised ``error``, which is printed
    to the run's log; what its frames hold is let go.
    """
    with _reserve():
        stack = traceback.extract_tb(_own(error, "__traceback__"))[-6:]
        frames = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in stack]
        status, said = _status(error), wrong_call(error) or text_of(error)
        if status != "unavailable":  # which is no error of anybody's code
            with contextlib.suppress(Exception):  # the run may have closed its output
                traceback.print_exception(error)
        told, seen = error, set[int]()
        while told is not None and id(told) not in seen:
            seen.add(id(told))
            # they may hold what filled the memory
            traceback.clear_frames(_own(told, "__traceback__"))
            told = _own(told, "__context__")
        message = said[:4000] or (
            "there was no memory left within its limit" if status == "oom" else ""
        )
        if issubclass(type(error), SystemExit):  # whose text is a bare number at most
            message = f"it called for the end of the process (SystemExit: {message or 'no code'})"
        elif issubclass(type(error), KeyboardInterrupt):
            message = f"it raised KeyboardInterrupt{f': {message}' if message else ''}"
        if status == "failed" and (where := blamed(error)):
            message = f"{where} failed: {message}" if message else f"{where} failed"
            if stack and Path(stack[-1].filename).parent in _SHARED:
                message += "; the code that methods share raised it: look at what it was given"
        return Result(
            status=status,
            error={
                "type": escaped(type(error).__name__)[:200],
                "message": message,
                "frames": frames,
            },
            started=now(),
            ended=now(),
        )


def from_keyboard(error: BaseException) -> bool:
    """Say whether an error may be the user's Ctrl-C: where the signal ends the process, as in one
    that runs a job, a plugin raised it.
    """
    return (
        isinstance(error, KeyboardInterrupt)
        and signal.getsignal(signal.SIGINT) is not signal.SIG_DFL
    )


def dead(status: str, message: str, seconds: float) -> Result:
    """Return the result of a run whose process died or was killed after some seconds."""
    end = datetime.now(UTC)
    start, ended = (
        (end - timedelta(seconds=ago)).isoformat(timespec="milliseconds") for ago in (seconds, 0.0)
    )
    return Result(
        status=status, error={"type": status, "message": message}, started=start, ended=ended
    )


def _own(error: BaseException, name: str) -> Any:
    """Return what Python keeps in an error, whatever its class makes of the name."""
    return vars(BaseException)[name].__get__(error)


def _status(error: BaseException) -> str:
    names = {base.__name__ for base in type(error).__mro__}
    known = next((_STATUSES[name] for name in _STATUSES if name in names), None)
    if known is not None:
        return known
    if issubclass(type(error), OSError) and vars(OSError)["errno"].__get__(error) == errno.ENOMEM:
        return "oom"
    return (
        "oom"
        if issubclass(type(error), RuntimeError)
        and any(text in text_of(error) for text in _NO_MEMORY)
        else "failed"
    )


@contextlib.contextmanager
def _reserve() -> Iterator[None]:
    """Lift this process's limit of memory to its hard one meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def as_text(result: Result) -> Result:
    """Return a result whose texts any reader can have (see :mod:`bench.texts`); where its files lie
    stays what it is.

    What is no result at all becomes one that says so: a plugin may have put anything into it.
    """
    bare = msgspec.structs.replace(result, files="")
    try:
        found = readable(bare)
    except Exception as error:
        found = failed(error)
        found.error = {
            "type": type(error).__name__,
            "message": f"its result can't be recorded: {text_of(error)[:1000]}",
            "frames": [],
        }
    return msgspec.structs.replace(
        found, files=result.files if found.status == result.status else ""
    )


def now() -> str:
    """Return the time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def peak_memory(device: Any) -> dict[str, float | None]:
    """Return the most memory that this process has held, of the machine and of its GPU, in MiB."""
    import torch

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1024**2
    )
    return {
        "peak_rss_mb": peak,
        "peak_gpu_mb": torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else None,
    }
