"""Runs on a Slurm cluster, through submitit: job arrays, each array task a
handful of jobs, over a results folder that all nodes see.
"""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.executors import Ended, Notice
from bench.executors.interrupts import CUT_OFF, Interrupts
from bench.executors.node_agent import AgentMessage, ended_of
from bench.executors.slots import Slots
from bench.executors.slurm_cluster import SlurmCluster
from bench.executors.slurm_task import ArrayTask, TaskInput, status_of, write
from bench.runs.spec import Job
from bench.texts import decode

_POLL = 0.5
_START = 5.0
"""Minutes of an array task that are not its runs': to start, and to say how they ended."""
_SETTLE = 3.0
"""Seconds in which the files of an array task that ended must be seen from here."""
_END = 20.0
"""Seconds that array tasks which are cancelled have to end."""


class _Batch(msgspec.Struct):
    """An array task in the queue."""

    folder: Path
    jobs: dict[str, Job]
    handle: Any
    since: float
    gone: float = 0.0


class SlurmExecutor:
    """Keeps a window of array tasks in the queue and takes the file that each job of theirs
    leaves.
    """

    enforces_limits = True

    def __init__(
        self,
        options: SlurmCluster,
        slots: Slots,
        preload: Sequence[str],
        say: Callable[[str], None],
    ) -> None:
        self._options, self._preload, self._say = options, list(preload), say
        self._most, self._array_tasks = len(slots), 0
        self._batches: list[_Batch] = []
        self._again: deque[Job] = deque()
        self._lost: dict[str, int] = {}
        self._home: Path | None = None
        self._ended: list[_Batch] = []

    def run(self, jobs: Iterator[Job | None], notice: Notice) -> Iterator[Ended]:
        """Run every job and yield each as it ends.

        Leaving the loop early cancels what is queued or runs.
        """
        more = True
        with Interrupts(self._say) as interrupts:
            try:
                while True:
                    if interrupts.due:
                        yield from self._cut_off()
                    elif not interrupts.asked:
                        more = self._fill(jobs, more)
                    if not self._batches and (interrupts.asked or not (more or self._again)):
                        break
                    found = [ended for batch in list(self._batches) for ended in self._look(batch)]
                    yield from found
                    if not found:
                        time.sleep(_POLL)
            finally:
                self._cancel()
            if interrupts.asked:
                raise KeyboardInterrupt

    def _fill(self, jobs: Iterator[Job | None], more: bool) -> bool:
        """Submit as one array what there is room for; return whether ``jobs`` may have more."""
        loads: list[list[Job]] = []
        while len(self._batches) + len(loads) < self._bound(loads):
            load = [
                self._again.popleft() for _ in range(min(len(self._again), self._options.batch))
            ]
            for job in itertools.islice(jobs, self._options.batch - len(load)) if more else ():
                if job is None:
                    break
                load.append(job)
            else:
                more = more and len(load) == self._options.batch
            if not load:
                break
            loads.append(load)
            if len(load) < self._options.batch:
                break
        if loads:
            self._submit(loads)
        return more

    def _bound(self, loads: list[list[Job]]) -> int:
        """Return how many array tasks may be in the queue: the window, or as
        many as run ``--jobs`` runs at a time.
        """
        if loads and not self._array_tasks:
            first = loads[0][0]
            at_a_time = self._options.at_a_time(first.specs[0].device, first.limits.per_gpu)
            self._array_tasks = min(self._options.window, max(1, self._most // at_a_time))
        return self._array_tasks or self._options.window

    def _submit(self, loads: list[list[Job]]) -> None:
        first = loads[0][0]
        options, device, per_gpu = self._options, first.specs[0].device, first.limits.per_gpu
        places = options.at_a_time(device, per_gpu)
        minutes = options.minutes or _START + max(
            sum((job.limits.wall or 3600.0) * len(job.specs) for job in load) / 60 / places
            for load in loads
        )
        if self._home is None:
            self._home = Path(first.workdir).parent / f"slurm-{uuid.uuid4().hex[:12]}"
        folders = []
        for load in loads:
            folder = self._home / uuid.uuid4().hex[:12]
            folder.mkdir(parents=True)
            content = TaskInput(
                jobs=load,
                places=places,
                preload=self._preload,
                cache=os.environ.get("BENCH_CACHE", ""),
                gpus=device == "cuda",
                per_gpu=per_gpu,
                minutes=minutes,
            )
            write(folder / "load.json", content)
            folders.append(folder)
        memory = first.limits.memory * places if first.limits.memory is not None else None
        handles = options.submitter(self._home / "log", minutes, memory).map_array(
            ArrayTask(), [str(folder) for folder in folders]
        )
        for folder, load, handle in zip(folders, loads, handles, strict=True):
            self._batches.append(
                _Batch(folder, {job.id: job for job in load}, handle, time.monotonic())
            )

    def _look(self, batch: _Batch) -> Iterator[Ended]:
        """Yield what ended in an array task, and see to its other jobs when it is gone."""
        yield from self._results(batch)
        if not batch.jobs:
            self._batches.remove(batch)
            # its process is a child of this one, and just about to end
            if self._options.cluster == "local":
                self._ended.append(batch)
        elif batch.gone:
            if time.monotonic() - batch.gone > _SETTLE:
                self._batches.remove(batch)
                yield from self._results(batch)
                yield from self._gone(batch)
        elif batch.handle.done():
            batch.gone = time.monotonic()

    def _results(self, batch: _Batch) -> Iterator[Ended]:
        for name in os.listdir(batch.folder):  # noqa: PTH208 - for every array task, twice a second
            identity = name.removesuffix(".json")
            if identity in batch.jobs:
                said = decode((batch.folder / name).read_bytes(), AgentMessage)
                yield ended_of(said, batch.jobs.pop(identity))

    def _gone(self, batch: _Batch) -> Iterator[Ended]:
        """See to the jobs of an array task that ended without them: those at
        work may be to blame, the others are not.
        """
        status = status_of(batch.folder)
        starts, timed_out = (status.starts, status.state == "timeout") if status else (0, False)
        at_work = set(status.running) if status else set(batch.jobs)
        for job in batch.jobs.values():
            self._lost[job.id] = lost = self._lost.get(job.id, 0) + (job.id in at_work)
            if timed_out and job.id in at_work:
                message = (
                    f"its Slurm job reached its time limit {starts} times; give "
                    "slurm[minutes=...] more, or keep checkpoints"
                )
                yield self._without(batch, job, "timeout", message)
            elif lost >= self._options.tries:
                yield self._without(
                    batch, job, "crashed", f"its Slurm job ended without it, {lost} times"
                )
            else:
                self._again.append(job)

    def _without(self, batch: _Batch, job: Job, status: str, message: str) -> Ended:
        try:
            log = (batch.handle.stderr() or "")[-4000:]
        except (OSError, UnicodeError):
            log = ""
        return Ended(
            job=job,
            results=None,
            status=status,
            message=message,
            log=log,
            seconds=time.monotonic() - batch.since,
        )

    def _cut_off(self) -> Iterator[Ended]:
        batches = self._cancel()
        for batch in batches:
            yield from self._results(batch)
            begun = status_of(batch.folder)
            for job in batch.jobs.values():
                if begun is not None and job.id in begun.running:
                    yield self._without(batch, job, "interrupted", CUT_OFF)

    def _cancel(self) -> list[_Batch]:
        """Cancel every array task, wait for those that run, and return them."""
        batches, self._batches = self._batches, []
        for batch in batches:
            batch.handle.cancel(check=False)
        waited, self._ended = (
            [*self._ended, *(batches if self._options.cluster != "debug" else [])],
            [],
        )
        patience = time.monotonic() + _END
        while time.monotonic() < patience and not all(batch.handle.done() for batch in waited):
            time.sleep(0.1)
        return batches


class Slurm(SlurmCluster, frozen=True, kw_only=True):
    """What runs on the nodes of a Slurm cluster."""

    def executor(
        self, slots: Slots, preload: Sequence[str], say: Callable[[str], None]
    ) -> SlurmExecutor:
        """Return the executor."""
        return SlurmExecutor(self, slots, preload, say)
