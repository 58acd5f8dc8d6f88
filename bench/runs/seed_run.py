"""One spec on its way through a job: its case, its runs, and what they may ask for."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.contracts import Case
from bench.digests import stream_seed
from bench.errors import BenchError, blaming
from bench.runs import guard
from bench.runs.context import Run, Setup
from bench.runs.import_reads import opened_by
from bench.runs.isolation import isolate
from bench.runs.loaded_job import LoadedJob
from bench.runs.read_observer import ReadObserver
from bench.runs.spec import RunSpec
from bench.runs.tools import Tools, release
from bench.runs.user_files import digests, file_targets, index_name, kept_by_user


class SeedRun:
    """One spec on its way through a job."""

    def __init__(
        self,
        spec: RunSpec,
        worker: LoadedJob,
        folder: Path,
        tools: Callable[[SeedRun], Tools],
    ) -> None:
        from bench.checks.cases import Checks

        self.spec, self.worker, self.folder = spec, worker, folder
        self.prepare_s = 0.0
        self.report_s, self.report_cpu_s, self.charged_s = 0.0, 0.0, 0.0
        self.fetch_s, self.fetch_cpu_s = 0.0, 0.0
        self.tools = tools(self)
        self.loaded: list[tuple[str, Any]] = []
        """Datasets that the task asked for, until its problem is checked."""
        self.checks = Checks(spec.track, type(worker.task), peeks=worker.method is None)
        self.setup = self.run_of(Setup, 0)
        self.case: Case
        self.runs: list[Run] = []
        self.before: list[dict[str, str]] = []
        self.whole: list[dict[str, str]] = []
        self.data: dict[str, str] = {}
        """Fingerprint of every dataset that was loaded, by its call."""

    def run_of(self, kind: type[Run], axis: int, tools: Tools | None = None) -> Any:
        """Return the run of a problem, or of the task (``Setup``), with its own folder."""
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
        from bench.checks.cases import prepare_failed
        from bench.training.state import streams

        start = time.perf_counter()
        try:
            with (
                streams(stream_seed(self.spec.seed, self.spec.task, "prepare")),
                self.observer(),
                blaming("the task's prepare"),
            ):
                self.case = self.worker.task.prepare(self.setup)
        except Exception as error:
            if (wrong := prepare_failed(error, self.loaded)) is error:
                raise
            raise wrong from error
        self.keep(
            opened_by(
                file_targets(self.worker.job.task, self.worker.job.method), self.worker.index.scan
            )
        )
        self.checks.case(self.case, self.loaded)
        self.loaded.clear()
        self.prepare_s = time.perf_counter() - start
        masked = [need for need in self.worker.job.offers if need not in self.worker.job.needs]
        problems = list(self.case.problems)
        self.case.problems = [_mask(problem, masked) for problem in problems]
        self.before = [guard.fingerprints(problem) for problem in self.case.problems]
        self.whole = [
            known if problem is shown else guard.fingerprints(problem)
            for problem, shown, known in zip(problems, self.case.problems, self.before, strict=True)
        ]
        self.runs = [self.run_of(Run, axis) for axis in range(len(self.case.problems))]

    @contextlib.contextmanager
    def observer(self) -> Iterator[None]:
        """Note the files of the user's that are opened meanwhile, data
        sets' left out: they are part of the key.
        """
        observer = ReadObserver(thorough=False, apart=True)
        try:
            with observer:
                yield
        finally:
            self.opened(observer)

    def opened(self, observer: ReadObserver) -> None:
        """Add what was opened to the data of the run."""
        self.keep(observer.files())

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
