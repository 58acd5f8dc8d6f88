"""One job in one process: prepare, solve, reveal, evaluate."""

from __future__ import annotations

import copy
import math
import os
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.cards import TaskCard
from bench.contracts import Case, Dataset, Method, Outcome, Score, Task
from bench.digests import stream_seed
from bench.errors import BenchError, DataUnavailable, InvalidRun
from bench.plugins.index import Index
from bench.plugins.source import Target, code_key, import_target, locate
from bench.runs import guard
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup, _Tools
from bench.runs.provenance import THREADS, versions
from bench.runs.spec import Job, RunSpec

Send = Callable[[dict[str, Any]], None]


class Result(msgspec.Struct, kw_only=True):
    """What a worker says of one spec: the part of a record that it knows. ``status`` may also be ``unavailable``."""

    status: str
    metrics: dict[str, float | None] = {}
    gates: dict[str, bool] = {}
    not_rankable: str | None = None
    cost: dict[str, float | None] = {}
    counters: dict[str, int] = {}
    curve: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    images: dict[str, str] = {}
    arrays: str = ""
    files: str = ""
    error: dict[str, Any] | None = None
    warnings: list[str] = []
    flags: dict[str, Any] = {}
    started: str = ""
    ended: str = ""


class _Member:
    """One spec on its way through a job."""

    def __init__(self, spec: RunSpec, worker: _Worker, folder: Path) -> None:
        self.spec, self.worker, self.folder = spec, worker, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.prepare_s = 0.0
        self.report_s, self.report_cpu_s, self.charged_s = 0.0, 0.0, 0.0
        self.fetch_s, self.fetch_cpu_s = 0.0, 0.0
        self.tools = _WorkerTools(self)
        self.setup = self._run(Setup, 0)
        self.case: Case
        self.runs: list[Run] = []
        self.before: list[dict[str, str]] = []
        self.whole: list[dict[str, str]] = []

    def _run(self, kind: type[Run], axis: int) -> Any:
        spec = self.spec
        folder = self.folder / f"problem-{axis}" if kind is Run else self.folder / "task"
        folder.mkdir(exist_ok=True)
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
        from bench.training.state import streams

        start = time.perf_counter()
        with streams(stream_seed(self.spec.seed, self.spec.task, "prepare")):
            self.case = self.worker.task.prepare(self.setup)
        self.prepare_s = time.perf_counter() - start
        masked = [need.replace("-", "_") for need in self.worker.job.offers if need not in self.worker.job.needs]
        problems = list(self.case.problems)
        self.case.problems = [_mask(problem, masked) for problem in problems]
        self.before = [guard.fingerprints(problem) for problem in self.case.problems]
        self.whole = [
            known if problem is shown else guard.fingerprints(problem) for problem, shown, known in zip(problems, self.case.problems, self.before, strict=True)
        ]
        self.runs = [self._run(Run, axis) for axis in range(len(self.case.problems))]


class _WorkerTools(_Tools):
    def __init__(self, member: _Member, quiet: bool = False) -> None:
        self._member, self._quiet, self._said = member, quiet, 0.0
        self._fingerprints: dict[str, str] = {}

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
            watched = member.worker.task.watch(member.case, member.runs.index(run), step, model)
        run._curve.append({"step": step, **{name: _figure(name, value) for name, value in watched.scores.items()}})
        for name in watched.keep:
            run._kept[name] = copy.deepcopy(model)
        synchronize(run.device)
        member.report_s += time.perf_counter() - start
        member.report_cpu_s += time.process_time() - start_cpu

    def progress(self, done: int, total: int, label: str) -> None:
        now = time.monotonic()
        if now - self._said >= 0.2 and not self._quiet:
            self._said = now
            self._member.worker.send({"progress": done / max(1, total), "label": label})

    def parts(self, run: Run, module: Any) -> dict[str, Any]:
        worker = self._member.worker
        name = getattr(module, "__name__", "")
        target = next((target for target in worker.targets if target.module.partition(".")[0] == name.partition(".")[0]), worker.job.task)
        path = locate(name, target)
        code = code_key(Target(name, "", str(path), target.root), worker.index.scan) if path else [name]
        inputs = self._member.before
        if isinstance(run, Setup):  # the task's artifacts are the same for every method, whatever is masked for it
            inputs = self._member.whole or [self._fingerprints]
            code = sorted({*code, *(part for found in worker.job.datasets.values() for part in code_key(found, worker.index.scan))})
        return {
            "code": code,
            "data": [sorted(item.items()) for item in inputs],
            "libraries": versions(tuple(sorted({"torch", "numpy", *worker.job.libraries}))),
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
        found = import_target(job.datasets[name])
        if not issubclass(found, Dataset):
            raise BenchError(f"{name!r} is registered as a data set, but {found.__qualname__} is no Dataset.")
        data = found.make(params).load(run)
        self._fingerprints[name] = guard.fingerprint(data)
        if found.card.fingerprint and not params and self._fingerprints[name] != found.card.fingerprint:
            raise InvalidRun(
                f"the data set {name!r} has the fingerprint {self._fingerprints[name]}, its card says {found.card.fingerprint}; the data or its reader changed."
            )
        return data


class _Worker:
    def __init__(self, job: Job, send: Send) -> None:
        import torch

        from bench.training import state

        self.job, self.send = job, send
        spec = job.specs[0]
        self.device = torch.device(spec.device)
        self.flags = state.pin(spec.device, THREADS)
        self.index = Index(Path(job.cache))
        self.artifacts = Artifacts(Path(job.cache))
        task = import_target(job.task)
        if not issubclass(task, Task):
            raise BenchError(f"{job.task.qualname} is no Task.")
        self.task: Task = task.make(spec.task_params)
        self.card: TaskCard = task.card
        self.method: Method | None = None
        if job.method is not None:
            method = import_target(job.method)
            if not issubclass(method, Method):
                raise BenchError(f"{job.method.qualname} is no Method.")
            self.method = method.make(spec.params)
        self.targets = [target for target in (job.method, job.task, *job.datasets.values()) if target is not None]

    def run(self, specs: Sequence[RunSpec], twin: bool) -> list[Result]:
        from bench.training import state

        started = _now()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            members = [
                _Member(spec, self, Path(self.job.workdir) / f"{'twin-' if twin else ''}{position}-seed-{spec.seed}") for position, spec in enumerate(specs)
            ]
            for member in members:
                member.prepare()
            try:
                with state.watching_seeds() as reseeded, guard.code_unchanged(type(self.task), *([type(self.method)] if self.method else [])):
                    solutions, wall, cpu = self._solve(members)
            finally:
                now = state.flags()
                self._restore(now)
            if reseeded:
                raise InvalidRun(f"the method called {reseeded[0]}, which changes the random streams of all; use run.seeded or run.torch_generator.")
            if now != self.flags:
                changed = next(name for name in now if now[name] != self.flags[name])
                raise InvalidRun(f"the method changed {changed} from {self.flags[changed]} to {now[changed]}, which is a setting of the whole process.")
            results = []
            for member, solved in zip(members, solutions, strict=True):
                results.append(self._evaluate(member, solved, wall / len(members), cpu / len(members), len(members)))
        texts = sorted({f"{item.category.__name__}: {item.message}"[:500] for item in said})
        results = results[:1] if twin else results
        for result in results:
            result.started, result.ended, result.warnings, result.flags = started, _now(), texts[:20], self.flags
        return results

    def _restore(self, now: dict[str, Any]) -> None:
        """Undo what a method did to the process, so that it spoils neither its own second try nor the next run of this process."""
        import torch

        from bench.training import state

        if now != self.flags:
            torch.set_default_dtype(getattr(torch, self.flags["dtype"].rpartition(".")[2]))
            torch.backends.cudnn.benchmark = self.flags["cudnn_benchmark"]
            torch.backends.cuda.matmul.allow_tf32 = self.flags["tf32"]
            os.chdir(self.flags["folder"])
            state.pin(self.job.specs[0].device, THREADS)

    def _solve(self, members: list[_Member]) -> tuple[list[list[Any]], float, float]:
        from bench.training import state

        state.synchronize(self.device)
        start, start_cpu = time.perf_counter(), time.process_time()
        with state.streams(stream_seed(members[0].spec.seed, members[0].spec.task, "solve", members[0].spec.method)):
            if self.method is None:
                solve = getattr(self.task, self.job.reference)
                solutions = [
                    [solve(problem, member.case.hidden, run) for problem, run in zip(member.case.problems, member.runs, strict=True)] for member in members
                ]
            elif members[0].spec.form == "stacked":
                place = state.position()
                flat = self.method.solve_stacked(
                    [problem for member in members for problem in member.case.problems], [run for member in members for run in member.runs]
                )
                if state.position() != place:
                    raise InvalidRun(
                        "solve_stacked drew from the global random streams, so a seed's result would depend on its neighbours; draw from run.torch_generator or inside run.seeded."
                    )
                count = len(members[0].case.problems)
                solutions = [list(flat[position : position + count]) for position in range(0, len(flat), count)]
            else:
                solutions = [[self.method.solve(problem, run) for problem, run in zip(member.case.problems, member.runs, strict=True)] for member in members]
        state.synchronize(self.device)
        wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        reports = sum(member.report_s + member.fetch_s for member in members), sum(member.report_cpu_s + member.fetch_cpu_s for member in members)
        for member in members:
            for problem, before in zip(member.case.problems, member.before, strict=True):
                guard.check_unchanged(before, problem, "problem")
        return solutions, wall - reports[0], cpu - reports[1]

    def _evaluate(self, member: _Member, solutions: list[Any], wall: float, cpu: float, stack: int) -> Result:
        from bench.training.state import streams

        start = time.perf_counter()
        spec = member.spec
        counters = {name: sum(run._counts[name] for run in member.runs) for name in ("forward", "backward")}
        cost: dict[str, float | None] = {"solve_s": wall + member.charged_s, "solve_cpu_s": cpu + member.charged_s}
        outcomes = [
            Outcome(solution=solution, curve=run._curve, kept=run._kept, cost={name: value or 0.0 for name, value in cost.items()}, counters=dict(run._counts))
            for solution, run in zip(solutions, member.runs, strict=True)
        ]
        with streams(stream_seed(spec.seed, spec.task, "evaluate")):
            self.task.reveal(member.case, member.setup)
            score = self.task.evaluate(member.case, outcomes, member.setup)
        metrics = self._checked(score)
        cost |= {
            "prepare_s": member.prepare_s,
            "evaluate_s": time.perf_counter() - start,
            "report_s": member.report_s,
            "artifact_s": member.charged_s,
            "stack": stack,
            **self._memory(),
        }
        result = Result(status="ok", metrics=metrics, gates=score.gates, not_rankable=score.not_rankable, cost=cost, counters=counters)
        result.curve = (
            [entry for outcome in outcomes for entry in outcome.curve]
            if len(outcomes) == 1
            else [{"problem": k, **entry} for k, outcome in enumerate(outcomes) for entry in outcome.curve]
        )
        result.logs = [entry for run in member.runs for entry in run._logs]
        _save_files(score, member.folder / "files", result)
        return result

    def _checked(self, score: Score) -> dict[str, float | None]:
        declared = [metric.name for metric in self.card.metrics]
        if unknown := [name for name in score.metrics if name not in declared]:
            raise InvalidRun(f"the task reports {unknown[0]!r}, which its card does not declare; add a Metric to the card.")
        metrics = {name: _figure(name, score.metrics.get(name)) for name in declared}
        if metrics[self.card.primary.name] is None and score.not_rankable is None:
            raise InvalidRun(f"the task gave no value for its primary metric {self.card.primary.name!r}.")
        return metrics

    def _memory(self) -> dict[str, float | None]:
        import torch

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
        return {"peak_rss_mb": peak, "peak_gpu_mb": torch.cuda.max_memory_allocated() / 2**20 if self.device.type == "cuda" else None}


def run_job(job: Job, send: Send) -> list[Result]:
    """Run the specs of a job and return a result for each, whatever happens short of the process dying.

    A stack that fails is tried again seed by seed, each beside a twin, so that one bad seed costs only itself.
    """
    try:
        worker = _Worker(job, send)
    except BaseException as error:  # a stranger's import may raise anything
        return [_failed(error) for _ in job.specs]
    if job.specs[0].form == "single":
        return [result for spec in job.specs for result in _attempt(worker, [spec], twin=False)]
    if len(job.specs) == 1:
        return _attempt(worker, [job.specs[0]] * 2, twin=True)
    results = _attempt(worker, job.specs, twin=False)
    if all(result.status == "ok" for result in results):
        return results
    return [result for spec in job.specs for result in _attempt(worker, [spec] * 2, twin=True)]


def _attempt(worker: _Worker, specs: Sequence[RunSpec], twin: bool) -> list[Result]:
    try:
        return worker.run(specs, twin)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit of a plugin included
        return [_failed(error) for _ in (specs[:1] if twin else specs)]


def _failed(error: BaseException) -> Result:
    names = {base.__name__ for base in type(error).__mro__}
    status = (
        "unavailable"
        if isinstance(error, DataUnavailable)
        else "invalid"
        if isinstance(error, InvalidRun)
        else "oom"
        if names & {"MemoryError", "OutOfMemoryError"}
        else "failed"
    )
    frames = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-6:]]
    traceback.print_exception(error)
    return Result(status=status, error={"type": type(error).__name__, "message": str(error)[:4000], "frames": frames}, started=_now(), ended=_now())


def _mask(problem: Any, fields: list[str]) -> Any:
    """Return ``problem`` without what the method did not ask for."""
    present = [name for name in fields if getattr(problem, name, None) is not None]
    if not present:
        return problem
    changes = dict.fromkeys(present)
    if isinstance(problem, msgspec.Struct):
        return msgspec.structs.replace(problem, **changes)
    import dataclasses

    return dataclasses.replace(problem, **changes)


def _figure(name: str, value: Any) -> float | None:
    """Return a figure as a float; None stays None.

    Raises:
        InvalidRun: it is not finite.
    """
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise InvalidRun(f"{name} is {number}; the method's output is not finite.")
    return number


def _save_files(score: Score, folder: Path, result: Result) -> None:
    if not score.arrays and not score.images:
        return
    folder.mkdir(exist_ok=True)
    result.files = str(folder)
    if score.arrays:
        import numpy as np
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(array) for name, array in score.arrays.items()}, folder / "arrays.safetensors")
        result.arrays = "arrays.safetensors"
    for position, (name, pixels) in enumerate(score.images.items()):
        from PIL import Image

        Image.fromarray(pixels).save(folder / f"image-{position}.png")
        result.images[name] = f"image-{position}.png"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
