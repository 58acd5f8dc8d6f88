"""One spec on its way through a job: its case, its runs, and what they may ask for."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.contracts import Case
from bench.digests import digest, stream_seed
from bench.errors import BenchError, InvalidRun, blaming
from bench.plugins.source import Target, locate
from bench.runs import guard
from bench.runs.context import Run, Setup
from bench.runs.data_index import Want, differing, params_of, parse_call
from bench.runs.figures import figures
from bench.runs.folders import at
from bench.runs.import_reads import opened_by
from bench.runs.isolation import isolate
from bench.runs.loading import check_pin, kind_of, load
from bench.runs.noticing import Noticing, aside, noted, unnoticed
from bench.runs.provenance import kernels_here
from bench.runs.spec import RunSpec
from bench.runs.tools import Tools, release
from bench.runs.user_files import digests, file_targets, index_name, kept_by_user

if TYPE_CHECKING:
    from bench.runs.worker import Worker


class SeedRun:
    """One spec on its way through a job."""

    def __init__(
        self,
        spec: RunSpec,
        worker: Worker,
        folder: Path,
        tools: Callable[[SeedRun], _WorkerTools] | None = None,
    ) -> None:
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
        self.data: dict[str, str] = {}
        """Fingerprint of every data set that was loaded, by its call."""

    def _run(self, kind: type[Run], axis: int, tools: Tools | None = None) -> Any:
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
            tools=tools or self.tools,
        )

    def prepare(self) -> None:
        """Build the case, mask what the method did not ask for, and
        remember the fingerprints of what it sees.
        """
        from bench.training.state import streams

        start = time.perf_counter()
        with (
            streams(stream_seed(self.spec.seed, self.spec.task, "prepare")),
            self.noticing(),
            blaming("the task's prepare"),
        ):
            self.case = self.worker.task.prepare(self.setup)
        self.keep(
            opened_by(
                file_targets(self.worker.job.task, self.worker.job.method), self.worker.index.scan
            )
        )
        self.checks.case(self.case, self.tools.loaded)
        self.tools.loaded.clear()
        self.prepare_s = time.perf_counter() - start
        masked = [need for need in self.worker.job.offers if need not in self.worker.job.needs]
        problems = list(self.case.problems)
        self.case.problems = [_mask(problem, masked) for problem in problems]
        self.before = [guard.fingerprints(problem) for problem in self.case.problems]
        self.whole = [
            known if problem is shown else guard.fingerprints(problem)
            for problem, shown, known in zip(problems, self.case.problems, self.before, strict=True)
        ]
        self.runs = [self._run(Run, axis) for axis in range(len(self.case.problems))]

    @contextlib.contextmanager
    def noticing(self) -> Iterator[None]:
        """Note the files of the user's that are opened meanwhile, data
        sets' left out: they are part of the key.
        """
        noticing = Noticing(thorough=False, apart=True)
        try:
            with noticing:
                yield
        finally:
            self.opened(noticing)

    def opened(self, noticing: Noticing) -> None:
        """Add what was opened to the data of the run."""
        self.keep(noticing.files())

    def keep(self, files: Sequence[str]) -> None:
        """Add files to the data of the run, those of the user's among them."""
        worker = self.worker
        if paths := kept_by_user(
            files, (worker.job.workdir, str(self.folder)), worker.job.cache, worker.began
        ):
            targets = file_targets(worker.job.task, worker.job.method)
            found, places = digests(paths, targets, worker.data_index)
            self.data |= found
            worker.data_index.put_places(index_name(targets), places)
            worker.note(self.spec, self.data)

    def close(self) -> None:
        """Let go of the case: what serves a run holds it, in a table of this process."""
        for run in (self.setup, *self.runs):
            release(run)


def separate(seed_runs: Sequence[SeedRun]) -> None:
    """Give the problems of the members of a stack memory of their own:
    none is a view of what is hidden from any of them.
    """
    start = time.perf_counter()
    problems = isolate(
        [problem for seed_run in seed_runs for problem in seed_run.case.problems],
        [seed_run.case.hidden for seed_run in seed_runs],
    )
    for seed_run in seed_runs:
        seed_run.case.problems, problems = (
            problems[: len(seed_run.case.problems)],
            problems[len(seed_run.case.problems) :],
        )
        seed_run.prepare_s += (time.perf_counter() - start) / len(seed_runs)


class _WorkerTools(Tools):
    """What a run asks of its worker: reports go to the task, artifacts and
    data sets are served and charged.
    """

    def __init__(self, seed_run: SeedRun, quiet: bool = False, loading: bool = False) -> None:
        self._seed_run, self._quiet, self._loading, self._said = seed_run, quiet, loading, 0.0
        self._fingerprints: dict[str, str] = {}
        self.loaded: list[tuple[str, Any]] = []
        """Data sets that the task asked for, until its problem is checked."""

    def report(self, run: Run, step: int, model: Any) -> None:
        from bench.checks.scores import check_watched
        from bench.training.state import inspecting, synchronize

        if self._quiet:
            return
        seed_run = self._seed_run
        synchronize(run.device)
        start, start_cpu = time.perf_counter(), time.process_time()
        if run._curve and step <= run._curve[-1]["step"]:
            raise InvalidRun(
                f"the method reported step {step} after step {run._curve[-1]['step']}; steps must "
                "grow."
            )
        with inspecting(model):
            k = seed_run.runs.index(run)
            shown = seed_run.checks.report(seed_run.case, k, step, model)
            with blaming("the task's watch"):
                found = seed_run.worker.task.watch(seed_run.case, k, step, shown)
            watched = check_watched(found)
        run._curve.append(
            {"step": step, **figures(seed_run.worker.card, watched.scores, f" at report {step}")}
        )
        for name in watched.keep:
            run._kept[name] = copy.deepcopy(model)
        synchronize(run.device)
        seed_run.report_s += time.perf_counter() - start
        seed_run.report_cpu_s += time.process_time() - start_cpu

    def progress(self, done: int, total: int, label: str) -> None:
        now = time.monotonic()
        if now - self._said >= 0.2 and not self._quiet:
            self._said = now
            self._seed_run.worker.send({"progress": done / max(1, total)})

    def parts(self, run: Run, module: Any) -> dict[str, Any]:
        with aside():
            return self._parts(run, module)

    def _parts(self, run: Run, module: Any) -> dict[str, Any]:
        worker = self._seed_run.worker
        name = getattr(module, "__name__", "")
        target = next(
            (
                target
                for target in worker.targets
                if target.module.partition(".")[0] == name.partition(".")[0]
            ),
            worker.job.task,
        )
        path = locate(name, target)
        code = worker.code_of(Target(name, "", str(path), target.root)) if path else [name]
        inputs = self._seed_run.before
        # the task's artifacts are the same for every method, whatever is masked for it
        if isinstance(run, Setup):
            # what a data set keeps is the same for every task
            inputs = (
                [self._fingerprints]
                if self._loading
                else [*self._seed_run.whole, self._seed_run.data]
            )
            code = sorted(
                {
                    *code,
                    *(
                        part
                        for found in worker.job.datasets.values()
                        for part in worker.code_of(found)
                    ),
                }
            )
        return {
            "code": code,
            "data": [sorted(item.items()) for item in inputs],
            "libraries": worker.job.versions,
            # it may lie there for runs of another setting, or on a path that machines share
            "kernels": kernels_here(run.device.type),
        }

    def charge(self, run: Run, seconds: float, wall: float, cpu: float) -> None:
        # the task serves it to all; or it is a part of an artifact that is charged whole
        if isinstance(run, Setup) or self._quiet:
            return
        self._seed_run.charged_s += seconds
        self._seed_run.fetch_s += wall
        self._seed_run.fetch_cpu_s += cpu

    def quiet(self) -> Tools:
        return _WorkerTools(self._seed_run, quiet=True)

    def fingerprints(self) -> dict[str, str]:
        return self._fingerprints

    def unchanged(self, loaded: Mapping[str, str]) -> bool:
        worker = self._seed_run.worker
        for call, fingerprint in loaded.items():
            want = self._want(call)
            if (worker.data_index.state(want).fingerprint or self._load(want)[1]) != fingerprint:
                return False
            if (known := worker.data_index.get(want)) is not None:
                with unnoticed():
                    noted(known.inputs)  # of a data set that keeps what it made of another one
        for call, fingerprint in loaded.items():
            self._note(call, fingerprint)
        return True

    def look(self, call: str) -> tuple[str, bool]:
        """Load a data set for its fingerprint alone; say too whether it
        draws from streams of the run.
        """
        want = self._want(call)
        return self._load(want)[1], self._seed_run.worker.data_index.draws(want)

    def mark(self) -> str:
        return digest([self._seed_run.before, self._seed_run.data])

    def dataset(self, run: Setup, name: str, params: dict[str, Any]) -> Any:
        job = self._seed_run.worker.job
        if name not in job.datasets:
            raise BenchError(
                f"the task asked for the data set {name!r}, which its card does not list; add it "
                "to 'datasets'."
            )
        kind = kind_of(job.datasets[name], name)
        want = self._seed_run.worker.want(
            self._seed_run.spec, kind, differing(kind.schema(), kind.make(params).values())
        )
        data, fingerprint = self._load(want)
        if not self._seed_run.runs:
            self.loaded.append((name, data))
        self._note(want.call, fingerprint)
        check_pin(kind.card, want, fingerprint)
        return data

    def _want(self, call: str) -> Want:
        name, texts = parse_call(call)
        kind = kind_of(self._seed_run.worker.job.datasets[name], name)
        return self._seed_run.worker.want(
            self._seed_run.spec, kind, params_of(name, kind.schema(), texts)
        )

    def _load(self, want: Want) -> tuple[Any, str]:
        run = self._seed_run._run(Setup, 0, _WorkerTools(self._seed_run, quiet=True, loading=True))
        worker = self._seed_run.worker
        # data are asked for while runs work in folders of their own, too
        home = worker.flags["folder"]
        with unnoticed(), blaming(f"the data set {want.call!r}"), at(home):
            return load(want, run, worker.data_index, opened_by([want.target], worker.index.scan))

    def _note(self, call: str, fingerprint: str) -> None:
        self._fingerprints[call] = fingerprint
        if self._seed_run.data.get(call) != fingerprint:
            self._seed_run.data[call] = fingerprint
            self._seed_run.worker.note(self._seed_run.spec, self._seed_run.data)


def _mask(problem: Any, needs: list[str]) -> Any:
    """Return ``problem`` without what the method did not ask for: a need
    ``noise-rate`` is met by the field ``noise_rate``.
    """
    fields = [need.replace("-", "_") for need in needs]
    if absent := [name for name in fields if not hasattr(problem, name)]:
        raise BenchError(
            f"the task's card offers {absent[0].replace('_', '-')!r}, but its problem has no "
            f"field {absent[0]!r} that could hold or hide it."
        )
    present = [name for name in fields if getattr(problem, name) is not None]
    if not present:
        return problem
    replace = (
        msgspec.structs.replace if isinstance(problem, msgspec.Struct) else dataclasses.replace
    )
    return replace(problem, **dict.fromkeys(present))
