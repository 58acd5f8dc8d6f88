"""A job in the process that runs it: its task and method, loaded once."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.cards import TaskCard
from bench.contracts import Dataset, Method, Task
from bench.errors import BenchError
from bench.plugins.index import Index
from bench.plugins.source import Target, code_key
from bench.runs.artifacts import Artifacts
from bench.runs.data_index import DataIndex, Want
from bench.runs.import_reads import imported
from bench.runs.provenance import THREADS, kernels_here
from bench.runs.spec import Job, RunSpec

Send = Callable[[dict[str, Any]], None]


def no_solve(task: type[Task], name: str) -> str:
    """Say that what a reference names as ``solve`` is no method of its task; empty: it is one."""
    if callable(getattr(task, name, None)):
        return ""
    return (
        f"the card names a reference with solve={name!r}, which is no method of "
        f"{task.__qualname__}; define {name}(self, problem, hidden, run), or leave solve out "
        "where the reference is a method's name"
    )


class LoadedJob:
    """A job's task and method, loaded once, the device they run on, and what they depend on."""

    def __init__(self, job: Job, send: Send) -> None:
        import torch

        from bench.training import state

        self.job, self.send, self.began = job, send, time.time()
        spec = job.specs[0]
        self.device = torch.device(spec.device)
        self.flags = state.pin(spec.device, THREADS)
        if self.device.type == "cuda":
            state.limit_gpu(job.limits.gpu_memory, job.limits.per_gpu)
        self.index = Index(Path(job.cache))
        self.artifacts = Artifacts(Path(job.cache))
        task = imported(job.task)
        if not issubclass(task, Task):
            raise BenchError(f"{job.task.qualname} is no Task.")
        self.task: Task = task.make(spec.task_params)
        self.card: TaskCard = task.card
        self.method: Method | None = None
        if job.method is not None:
            method = imported(job.method)
            if not issubclass(method, Method):
                raise BenchError(f"{job.method.qualname} is no Method.")
            self.method = method.make(spec.params)
        elif job.reference and (said := no_solve(task, job.reference)):
            raise BenchError(said)
        self.targets = [
            target
            for target in (job.method, job.task, *job.datasets.values())
            if target is not None
        ]
        self._codes: dict[Target, list[str]] = {}
        self.data_index = DataIndex(Path(job.cache))
        self.data: dict[str, dict[str, str]] = {}
        """Cell -> fingerprint of every dataset that was loaded, by its
        call, and of every file that was opened.
        """

    def want(self, spec: RunSpec, kind: type[Dataset], params: dict[str, Any]) -> Want:
        """Return a call of a dataset as the index knows it."""
        card, target = kind.card, self.job.datasets[kind.card.name]
        versions = {
            name: self.job.versions.get(name, "")
            for name in sorted({"numpy", "torch", *card.libraries})
        } | kernels_here(self.device.type)
        return Want(
            name=card.name,
            params=params,
            target=target,
            code=self.code_of(target),
            versions=versions,
            device=self.device.type,
            had=card.had,
            stream=(f"{spec.track}/{spec.task}", spec.seed),
        )

    def note(self, spec: RunSpec, data: Mapping[str, str]) -> None:
        """Note what a run loaded, and say it at once: whatever becomes of
        the run, its record holds it.
        """
        self.data[spec.cell] = dict(data)
        self.send({"data": {spec.cell: self.data[spec.cell]}})

    def code_of(self, target: Target) -> list[str]:
        """Return the digests of the code that ``target`` reaches, looked
        for once: what is imported already no longer changes.
        """
        if target not in self._codes:
            self._codes[target] = code_key(target, self.index.scan, self.device.type)
        return self._codes[target]

    def restore(self, now: dict[str, Any], before: dict[str, Any]) -> None:
        """Undo what a method did to the process, so that it spoils neither
        its own second try nor the next run of this process.
        """
        import torch

        from bench.training import state

        if now != before:
            torch.set_grad_enabled(before["gradient"])
            torch.set_default_dtype(getattr(torch, before["dtype"].rpartition(".")[2]))
            torch.backends.cudnn.benchmark = before["cudnn_benchmark"]
            torch.backends.cuda.matmul.allow_tf32 = before["tf32"]
            with contextlib.suppress(OSError):  # it may have removed the folder
                os.chdir(before["folder"])
            state.pin(self.job.specs[0].device, THREADS)
