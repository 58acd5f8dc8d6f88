"""The forked process of a job: a session of its own, limits, one pipe to
the server, and then the worker.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from bench.errors import FORKED
from bench.executors.processes import data_size
from bench.runs.limits import Limits
from bench.runs.result import MEMORY_RESERVE
from bench.runs.spec import Job
from bench.texts import encode

NO_RESULT, NO_MEMORY = 70, 71
"""Exit codes of a run whose result could not be said, and of one that had no memory to say it."""

_PR_SET_PDEATHSIG = 1
_LATER = 5
"""Seconds of processor time by which the server, which counts the whole
family, comes before the kernel, which counts each process.
"""


def serve(
    job: Job, environment: dict[str, str], talk: int, log: int, foreign: Iterable[int]
) -> NoReturn:
    """Run a job in the process just forked.

    Args:
        job: what to run.
        environment: variables to set, such as the one GPU that it may see.
        talk: where progress and results are written.
        log: where everything that is printed goes.
        foreign: handles of the server that the run must not hold.
    """
    code = NO_RESULT
    try:
        os.setsid()
        _die_with_parent()
        _plain_signals()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        for handle in (nothing, log, *foreign):
            os.close(handle)
        os.environ.update(environment)
        confine(job.limits, len(job.specs), job.specs[0].device)
        from bench.runs.run_job import run_job

        own = os.getpid()

        def send(message: dict[str, Any]) -> None:
            if os.getpid() != own:  # a plugin forked: what its child has is not the run's
                os._exit(FORKED)
            data = memoryview(encode(message) + b"\n")
            while data:
                data = data[os.write(talk, data) :]

        send({"results": run_job(job, send)})
        code = 0
    except MemoryError:
        code = NO_MEMORY
    except BaseException:
        with contextlib.suppress(BaseException):
            import traceback

            traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def confine(limits: Limits, runs: int, device: str) -> None:
    """Set the limits that the kernel keeps for this process and each that it starts."""
    # a core dump of a process with torch in it is a gigabyte
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limits.cpu is not None:
        seconds = math.ceil(min(limits.cpu * runs, 2.0**40)) + _LATER
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    # CUDA's own maps would count; there the server's look at it is all
    if limits.memory is not None and device != "cuda" and (now := data_size()):
        most = now + limits.memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, most + MEMORY_RESERVE))


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when the server dies, however it does."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(NO_RESULT)


def _plain_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
