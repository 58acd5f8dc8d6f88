"""Loading data in a process aside, to know whether records are still of the data that is here.

Run as a module it is that process.

It reads one line of JSON from its input and writes a line for each call that it loads.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.runs.data_status import Loaded
from bench.runs.plan import Cell
from bench.runs.spec import Job


class _Part(msgspec.Struct):
    job: Job
    calls: list[str]


def loader(
    job_of: Callable[[Cell], Job], environment: dict[str, str], say: Callable[[str], None]
) -> Callable[[list[tuple[Cell, list[str]]]], Iterator[Loaded]]:
    """Return what loads calls for cells, for :meth:`bench.runs.data_status.DataStatus.look`.

    Args:
        job_of: makes the job of a cell.
        environment: variables of the process, as runs have them.
        say: told what is loaded, and what can't be.
    """

    def load(groups: list[tuple[Cell, list[str]]]) -> Iterator[Loaded]:
        with TemporaryDirectory(prefix="bench-look-") as folder:
            parts = [
                _Part(
                    msgspec.structs.replace(
                        job_of(cell), method=None, reference="", workdir=folder
                    ),
                    calls,
                )
                for cell, calls in groups
            ]
            waiting = [(part.job.specs[0].cell, call) for part in parts for call in part.calls]
            names = list(dict.fromkeys(call for _, call in waiting))
            say(
                "looking at data that was touched or is not known yet: "
                f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}."
            )
            while waiting:
                left = [
                    _Part(
                        part.job, [call for cell, call in waiting if cell == part.job.specs[0].cell]
                    )
                    for part in parts
                ]
                for found in _aside([part for part in left if part.calls], environment):
                    if (found.cell, found.call) in waiting:
                        waiting.remove((found.cell, found.call))
                        yield found
                if waiting:  # the process died of one
                    cell, call = waiting.pop(0)
                    yield Loaded(cell=cell, call=call)

    return load


def _aside(parts: Sequence[_Part], environment: dict[str, str]) -> Iterator[Loaded]:
    """Load in a process of its own, and yield what it says as long as it lives."""
    command = [sys.executable, "-m", "bench.runs.data_process"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(msgspec.json.encode(parts) + b"\n")
                process.stdin.flush()
            for line in process.stdout:
                with contextlib.suppress(msgspec.MsgspecError):
                    yield msgspec.json.decode(line, type=Loaded)
        finally:
            process.kill()


def main() -> None:
    """Load what the input asks for."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a load prints is no answer
    for part in msgspec.json.decode(sys.stdin.buffer.readline(), type=list[_Part]):
        for call in part.calls:
            out.write(msgspec.json.encode(_loaded(part.job, call)) + b"\n")


def _loaded(job: Job, call: str) -> Loaded:
    from bench.digests import stream_seed
    from bench.errors import DataUnavailable
    from bench.runs.loaded_job import LoadedJob
    from bench.runs.seed_run import SeedRun
    from bench.runs.worker_tools import WorkerTools
    from bench.training.state import streams

    spec = job.specs[0]
    try:
        loaded = LoadedJob(job, lambda _: None)
        tools = WorkerTools(SeedRun(spec, loaded, Path(job.workdir), WorkerTools))
        with streams(stream_seed(spec.seed, spec.task, "prepare")):
            fingerprint, drawn = tools.look(call)
    except DataUnavailable as error:
        return Loaded(cell=spec.cell, call=call, absent=str(error))
    except Exception:  # whatever a stranger's code raises: the run itself will say it
        return Loaded(cell=spec.cell, call=call)
    return Loaded(cell=spec.cell, call=call, fingerprint=fingerprint, drawn=drawn)


if __name__ == "__main__":
    main()
