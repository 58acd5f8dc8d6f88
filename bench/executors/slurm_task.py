"""What one task of a Slurm array does: its agent runs the jobs in its folder and leaves a
file for each, and one that says how it stands.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import EnvironmentFault
from bench.executors.node_agent import NodeAgent, read_messages
from bench.runs import provenance
from bench.runs.spec import Job
from bench.texts import decode, encode


class TaskInput(msgspec.Struct, kw_only=True):
    """What an array task is to do."""

    jobs: list[Job]
    places: int
    preload: list[str]
    cache: str
    gpus: bool
    per_gpu: int
    minutes: float
    """Slurm's limit of the array task."""


class Status(msgspec.Struct, kw_only=True):
    """How an array task stands.

    Slurm's own word is not enough: it does not tell which run it cut off, nor, on every site, why.
    """

    state: str
    """``running``; ``timeout`` or ``preempted``: it was asked to go; ``done``."""
    starts: int
    began: float
    running: list[str]
    """Ids of the jobs at work."""


class ArrayTask:
    """The callable that submitit takes; it has no state, so that what is pickled is its name."""

    def __call__(self, folder: str) -> None:
        """Run what has no result yet.

        After a requeue that is the rest, and runs with a checkpoint go on from it.
        """
        home = Path(folder)
        load = decode((home / "load.json").read_bytes(), TaskInput)
        todo = [job for job in load.jobs if not (home / f"{job.id}.json").exists()]
        before = status_of(home)
        status = Status(
            state="running",
            starts=before.starts + 1 if before else 1,
            began=time.time(),
            running=[],
        )
        agent = NodeAgent(load.places, load.preload, load.cache, load.gpus, load.per_gpu)
        try:
            while todo or status.running:
                while todo and len(status.running) < load.places:
                    job = todo.pop(0)
                    status.running.append(job.id)
                    agent.start(encode(job), {})
                write(home / "status.json", status)
                for said in read_messages(agent.hear(1.0)):
                    if said.broken:
                        raise EnvironmentFault(said.broken)
                    if said.ended:
                        write(home / f"{said.id}.json", said)
                        status.running.remove(said.id)
        finally:
            agent.stop()
        status.state = "done"
        write(home / "status.json", status)

    def checkpoint(self, folder: str) -> Any:
        """Say why it was asked to go, and return what is to be run when Slurm starts it again."""
        from submitit.helpers import DelayedSubmission

        home = Path(folder)
        status = status_of(home)
        if status is not None:
            minutes = decode((home / "load.json").read_bytes(), TaskInput).minutes
            status.state = (
                "timeout" if time.time() - status.began >= 0.8 * 60 * minutes else "preempted"
            )
            write(home / "status.json", status)
        return DelayedSubmission(self, folder)


class EnvironmentQuery:
    """Writes what of a node's environment belongs to the key."""

    def __call__(self, file: str, device: str) -> None:
        """Write it into a file."""
        write(Path(file), provenance.inventory(device))


def status_of(home: Path) -> Status | None:
    """Return how the array task of a folder stands; None where it has not begun."""
    try:
        return msgspec.json.decode((home / "status.json").read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        return None


def write(file: Path, content: Any) -> None:
    """Write JSON into a file, whole or not at all."""
    temporary = file.with_name(f".{file.name}-{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.write_bytes(encode(content))
        temporary.replace(file)
