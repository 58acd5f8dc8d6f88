"""One spec on its way through a job: its case, its runs, and what they may ask for."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.contracts import Case, Dataset
from bench.digests import stream_seed
from bench.errors import BenchError, InvalidRun
from bench.plugins.source import Target, import_target, locate
from bench.runs import guard
from bench.runs.apart import apart
from bench.runs.context import Run, Setup, _Tools, release
from bench.runs.figures import figures
from bench.runs.folders import at
from bench.runs.provenance import kernels_here
from bench.runs.spec import RunSpec

if TYPE_CHECKING:
    from bench.runs.worker import Worker


class Member:
    """One spec on its way through a job."""

    def __init__(self, spec: RunSpec, worker: Worker, folder: Path, tools: Callable[[Member], _WorkerTools] | None = None) -> None:
        from bench.checks.cases import Checks

        self.spec, self.worker, self.folder = spec, worker, folder
        self.prepare_s = 0.0
        self.report_s, self.report_cpu_s, self.charged_s = 0.0, 0.0, 0.0
        self.fetch_s, self.fetch_cpu_s = 0.0, 0.0
        self.tools = (tools or _WorkerTools)(self)
        self.checks = Checks(spec.track, type(worker.task), peeks=worker.method is None)
        self.setup = self._run(Setup, 0)
        self.case: Case
        self.runs: list[Run] = []
        self.before: list[dict[str, str]] = []
        self.whole: list[dict[str, str]] = []

    def _run(self, kind: type[Run], axis: int) -> Any:
        spec = self.spec
        folder = self.folder / f"problem-{axis}" if kind is Run else self.folder / "task"
        return kind(
            seed=spec.seed,
            task=f"{spec.track}/{spec.task}",
            method=f"{spec.track}/{spec.method}",
            device=self.worker.device,
            workdir=folder,
            artifacts=self.worker.artifacts,
            axis=axis,
            tools=self.tools,
        )

    def prepare(self) -> None:
        """Build the case, mask what the method did not ask for, and remember the fingerprints of what it sees."""
        from bench.training.state import streams

        start = time.perf_counter()
        with streams(stream_seed(self.spec.seed, self.spec.task, "prepare")):
            self.case = self.worker.task.prepare(self.setup)
        self.checks.case(self.case, self.tools.loaded)
        self.tools.loaded.clear()
        self.prepare_s = time.perf_counter() - start
        masked = [need for need in self.worker.job.offers if need not in self.worker.job.needs]
        problems = list(self.case.problems)
        self.case.problems = [_mask(problem, masked) for problem in problems]
        self.before = [guard.fingerprints(problem) for problem in self.case.problems]
        self.whole = [
            known if problem is shown else guard.fingerprints(problem) for problem, shown, known in zip(problems, self.case.problems, self.before, strict=True)
        ]
        self.runs = [self._run(Run, axis) for axis in range(len(self.case.problems))]

    def close(self) -> None:
        """Let go of the case: what serves a run holds it, in a table of this process."""
        for run in (self.setup, *self.runs):
            release(run)


def separate(members: Sequence[Member]) -> None:
    """Give the problems of the members of a stack memory of their own: none is a view of what is hidden from any of them."""
    start = time.perf_counter()
    problems = apart([problem for member in members for problem in member.case.problems], [member.case.hidden for member in members])
    for member in members:
        member.case.problems, problems = problems[: len(member.case.problems)], problems[len(member.case.problems) :]
        member.prepare_s += (time.perf_counter() - start) / len(members)


class _WorkerTools(_Tools):
    """What a run asks of its worker: reports go to the task, artifacts and data sets are served and charged."""

    def __init__(self, member: Member, quiet: bool = False) -> None:
        self._member, self._quiet, self._said = member, quiet, 0.0
        self._fingerprints: dict[str, str] = {}
        self.loaded: list[tuple[str, Any]] = []
        """Data sets that the task asked for, until its problem is checked."""

    def report(self, run: Run, step: int, model: Any) -> None:
        from bench.training.state import inspecting, synchronize

        if self._quiet:
            return
        member = self._member
        synchronize(run.device)
        start, start_cpu = time.perf_counter(), time.process_time()
        if run._curve and step <= run._curve[-1]["step"]:
            raise InvalidRun(f"the method reported step {step} after step {run._curve[-1]['step']}; steps must grow.")
        with inspecting(model):
            k = member.runs.index(run)
            watched = member.checks.watched(member.worker.task.watch(member.case, k, step, member.checks.report(member.case, k, step, model)))
        run._curve.append({"step": step, **figures(member.worker.card, watched.scores, f" at report {step}")})
        for name in watched.keep:
            run._kept[name] = copy.deepcopy(model)
        synchronize(run.device)
        member.report_s += time.perf_counter() - start
        member.report_cpu_s += time.process_time() - start_cpu

    def progress(self, done: int, total: int, label: str) -> None:
        now = time.monotonic()
        if now - self._said >= 0.2 and not self._quiet:
            self._said = now
            self._member.worker.send({"progress": done / max(1, total)})

    def parts(self, run: Run, module: Any) -> dict[str, Any]:
        worker = self._member.worker
        name = getattr(module, "__name__", "")
        target = next((target for target in worker.targets if target.module.partition(".")[0] == name.partition(".")[0]), worker.job.task)
        path = locate(name, target)
        code = worker.code_of(Target(name, "", str(path), target.root)) if path else [name]
        inputs = self._member.before
        if isinstance(run, Setup):  # the task's artifacts are the same for every method, whatever is masked for it
            inputs = self._member.whole or [self._fingerprints]
            code = sorted({*code, *(part for found in worker.job.datasets.values() for part in worker.code_of(found))})
        return {
            "code": code,
            "data": [sorted(item.items()) for item in inputs],
            "libraries": worker.job.versions,
            "kernels": kernels_here(run.device.type),  # it may lie there for runs of another setting, or on a path that machines share
        }

    def charge(self, run: Run, seconds: float, wall: float, cpu: float) -> None:
        if isinstance(run, Setup) or self._quiet:  # the task serves it to all; or it is a part of an artifact that is charged whole
            return
        self._member.charged_s += seconds
        self._member.fetch_s += wall
        self._member.fetch_cpu_s += cpu

    def quiet(self) -> _Tools:
        return _WorkerTools(self._member, quiet=True)

    def dataset(self, run: Setup, name: str, params: dict[str, Any]) -> Any:
        job = self._member.worker.job
        if name not in job.datasets:
            raise BenchError(f"the task asked for the data set {name!r}, which its card does not list; add it to 'datasets'.")
        with at(self._member.worker.flags["folder"]):  # data are asked for while runs work in folders of their own, too
            found = import_target(job.datasets[name])
            if not issubclass(found, Dataset):
                raise BenchError(f"{name!r} is registered as a data set, but {found.__qualname__} is no Dataset.")
            data = found.make(params).load(run)
        self._fingerprints[name] = guard.fingerprint(data)
        if not self._member.runs:
            self.loaded.append((name, data))
        if found.card.fingerprint and not params and self._fingerprints[name] != found.card.fingerprint:
            raise InvalidRun(
                f"the data set {name!r} has the fingerprint {self._fingerprints[name]}, its card says {found.card.fingerprint}; the data or its reader changed."
            )
        return data


def _mask(problem: Any, needs: list[str]) -> Any:
    """Return ``problem`` without what the method did not ask for: a need ``noise-rate`` is met by the field ``noise_rate``."""
    fields = [need.replace("-", "_") for need in needs]
    if absent := [name for name in fields if not hasattr(problem, name)]:
        raise BenchError(f"the task's card offers {absent[0].replace('_', '-')!r}, but its problem has no field {absent[0]!r} that could hold or hide it.")
    present = [name for name in fields if getattr(problem, name) is not None]
    if not present:
        return problem
    replace = msgspec.structs.replace if isinstance(problem, msgspec.Struct) else dataclasses.replace
    return replace(problem, **dict.fromkeys(present))
