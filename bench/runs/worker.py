"""One job in one process: prepare, solve, reveal, evaluate."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.cards import TaskCard
from bench.contracts import Dataset, Method, Outcome, Score, Task
from bench.digests import stream_seed
from bench.errors import BenchError, InvalidRun, blaming
from bench.plugins.index import Index
from bench.plugins.source import Target, code_key
from bench.runs import guard
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run
from bench.runs.data_index import DataIndex, Want
from bench.runs.figures import figures
from bench.runs.folders import at, attempt
from bench.runs.import_reads import imported
from bench.runs.noticing import Noticing
from bench.runs.provenance import THREADS, kernels_here
from bench.runs.result import Result, as_text, failed, now
from bench.runs.saved import save_files
from bench.runs.seed_run import SeedRun, separate
from bench.runs.solution_digest import Solved, digest_of
from bench.runs.spec import Job, RunSpec
from bench.texts import text_of

Send = Callable[[dict[str, Any]], None]


class Worker:
    """A job's task and method, loaded once, and the device they run on."""

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
        self.moved = False
        if job.method is not None:
            method = imported(job.method)
            if not issubclass(method, Method):
                raise BenchError(f"{job.method.qualname} is no Method.")
            self.method = method.make(spec.params)
        self.targets = [
            target
            for target in (job.method, job.task, *job.datasets.values())
            if target is not None
        ]
        self._codes: dict[Target, list[str]] = {}
        self.solved: dict[int, Solved] = {}
        """Seed -> what its first pass is known by, of those that are to be counted."""
        self.data_index = DataIndex(Path(job.cache))
        self.data: dict[str, dict[str, str]] = {}
        """Cell -> fingerprint of every data set that was loaded, by its
        call, and of every file that was opened.
        """

    def want(self, spec: RunSpec, kind: type[Dataset], params: dict[str, Any]) -> Want:
        """Return a call of a data set as the index knows it."""
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

    def run(self, specs: Sequence[RunSpec], twin: bool) -> list[Result]:
        """Take specs, stacked if there are several, from prepare to
        evaluate; of twins evaluate and return the first.
        """
        from bench.training import state, tuned

        started = now()
        self.data |= {spec.cell: {} for spec in specs}
        with (
            warnings.catch_warnings(record=True) as said,
            tuned.noting() as choices,
            contextlib.ExitStack() as closing,
        ):
            warnings.simplefilter("always")
            seed_runs = self._prepared(specs, twin, closing)
            flags = {
                **self.flags,
                "folder": closing.enter_context(
                    attempt(Path(self.job.workdir), self.flags["folder"])
                ),
            }
            try:
                with (
                    state.watching_seeds() as reseeded,
                    guard.code_unchanged(
                        type(self.task), *([type(self.method)] if self.method else [])
                    ),
                ):
                    solutions, wall, cpu = self._solve(seed_runs)
            finally:
                left = state.flags()
                self._restore(left, flags)
            if reseeded:
                raise InvalidRun(
                    f"the method called {reseeded[0]}, which changes the random streams of all; "
                    "use run.seeded or run.torch_generator."
                )
            if self.moved:
                raise InvalidRun(
                    "solve_stacked drew from the global random streams, so a seed's result would "
                    "depend on its neighbours; draw from run.torch_generator or inside run.seeded."
                )
            if left != flags:
                changed = next(name for name in left if left[name] != flags[name])
                raise InvalidRun(
                    f"the method changed {changed} from {flags[changed]} to {left[changed]}, "
                    "which is a setting of the whole process."
                )
            answered = list(zip(seed_runs, solutions, strict=True))[: 1 if twin else None]
            for seed_run, solved in answered:
                if seed_run.spec.seed in self.job.count:
                    self.solved[seed_run.spec.seed] = Solved(digest_of(solved), tuple(specs))
            results = [
                self._evaluate(
                    seed_run, solved, wall / len(seed_runs), cpu / len(seed_runs), len(seed_runs)
                )
                for seed_run, solved in answered
            ]
        # where it ran is nobody's business
        said_flags = {name: value for name, value in self.flags.items() if name != "folder"}
        texts = sorted(
            {f"{item.category.__name__}: {text_of(item.message)}"[:500] for item in said}
        )
        for spec, result in zip(specs, results, strict=False):
            result.data = self.data[spec.cell]
            result.started, result.ended, result.warnings, result.flags = (
                started,
                now(),
                texts[:20],
                said_flags,
            )
            result.choices = dict(choices)
        return results

    def _prepared(
        self, specs: Sequence[RunSpec], twin: bool, closing: contextlib.ExitStack
    ) -> list[SeedRun]:
        home = Path(self.job.workdir)
        seed_runs = [
            SeedRun(spec, self, home / f"{'twin-' if twin else ''}{position}-seed-{spec.seed}")
            for position, spec in enumerate(specs)
        ]
        for seed_run in seed_runs:
            closing.callback(seed_run.close)
            seed_run.prepare()
        separate(seed_runs)
        return seed_runs

    def _restore(self, now: dict[str, Any], before: dict[str, Any]) -> None:
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

    def _solve(self, seed_runs: list[SeedRun]) -> tuple[list[list[Any]], float, float]:
        from bench.training import state

        state.synchronize(self.device)
        start, start_cpu = time.perf_counter(), time.process_time()
        with state.streams(
            stream_seed(
                seed_runs[0].spec.seed, seed_runs[0].spec.task, "solve", seed_runs[0].spec.method
            )
        ):
            place = state.position()
            noticing = Noticing(thorough=False, apart=True)
            try:
                with noticing:
                    solutions = self._solutions(seed_runs)
            finally:
                for seed_run in seed_runs:
                    seed_run.opened(noticing)
            self.moved = seed_runs[0].spec.form == "stacked" and state.position() != place
        state.synchronize(self.device)
        wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        reports = (
            sum(seed_run.report_s + seed_run.fetch_s for seed_run in seed_runs),
            sum(seed_run.report_cpu_s + seed_run.fetch_cpu_s for seed_run in seed_runs),
        )
        for seed_run in seed_runs:
            for problem, before in zip(seed_run.case.problems, seed_run.before, strict=True):
                guard.check_unchanged(before, problem, "problem")
        return solutions, wall - reports[0], cpu - reports[1]

    def _solutions(
        self,
        seed_runs: list[SeedRun],
        on_start: Callable[[Sequence[Run]], None] = lambda runs: None,
    ) -> list[list[Any]]:
        """Return the solutions of every seed, one a problem.

        Of runs that are solved together ``on_start`` is told before.
        """
        from bench.checks.cases import answers

        if self.method is None or seed_runs[0].spec.form == "single":
            return [
                [self._solution(seed_run, axis, on_start) for axis in range(len(seed_run.runs))]
                for seed_run in seed_runs
            ]
        problems, runs = (
            [problem for seed_run in seed_runs for problem in seed_run.case.problems],
            [run for seed_run in seed_runs for run in seed_run.runs],
        )
        on_start(runs)
        with blaming("the method's solve_stacked"):
            flat = answers(self.method.solve_stacked(problems, runs), len(problems))
        count = len(seed_runs[0].case.problems)
        return [flat[position : position + count] for position in range(0, len(flat), count)]

    def _solution(
        self, seed_run: SeedRun, axis: int, on_start: Callable[[Sequence[Run]], None]
    ) -> Any:
        problem, run = seed_run.case.problems[axis], seed_run.runs[axis]
        on_start([run])
        if self.method is None:
            with blaming(f"the task's {self.job.reference}"):
                return getattr(self.task, self.job.reference)(problem, seed_run.case.hidden, run)
        with blaming("the method's solve"):
            return self.method.solve(problem, run)

    def _evaluate(
        self, seed_run: SeedRun, solutions: list[Any], wall: float, cpu: float, stack: int
    ) -> Result:
        from bench.checks.scores import check_score
        from bench.training.state import streams

        start = time.perf_counter()
        spec = seed_run.spec
        counters = {
            name: sum(run._counts[name] for run in seed_run.runs)
            for name in ("forward", "backward")
        }
        cost: dict[str, float | None] = {
            "solve_s": wall + seed_run.charged_s,
            "solve_cpu_s": cpu + seed_run.charged_s,
        }
        outcomes = [
            Outcome(
                solution=solution,
                curve=run._curve,
                kept=run._kept,
                cost={name: value or 0.0 for name, value in cost.items()},
                counters=dict(run._counts),
            )
            for solution, run in zip(solutions, seed_run.runs, strict=True)
        ]
        outcomes = [
            seed_run.checks.outcome(seed_run.case, k, outcome, self.device)
            for k, outcome in enumerate(outcomes)
        ]
        with streams(stream_seed(spec.seed, spec.task, "evaluate")), seed_run.noticing():
            with at(self.flags["folder"]), blaming("the task's reveal"):
                self.task.reveal(seed_run.case, seed_run.setup)
            with blaming("the task's evaluate"):
                found = self.task.evaluate(seed_run.case, outcomes, seed_run.setup)
            score = check_score(found)
        metrics = self._checked(score, reported=any(outcome.curve for outcome in outcomes))
        cost |= {
            "prepare_s": seed_run.prepare_s,
            "evaluate_s": time.perf_counter() - start,
            "report_s": seed_run.report_s,
            "artifact_s": seed_run.charged_s,
            "stack": stack,
            **self._memory(),
        }
        result = Result(
            status="ok",
            metrics=metrics,
            gates=score.gates,
            not_rankable=score.not_rankable,
            cost=cost,
            counters=counters,
        )
        result.curve = [
            ({"problem": k} if len(outcomes) > 1 else {}) | entry
            for k, outcome in enumerate(outcomes)
            for entry in outcome.curve
        ]
        result.logs = [entry for run in seed_run.runs for entry in run._logs]
        save_files(score, seed_run.folder / "files", result)
        return result

    def _checked(self, score: Score, reported: bool) -> dict[str, float | None]:
        declared = [metric.name for metric in self.card.metrics]
        if unknown := [name for name in score.metrics if name not in declared]:
            raise InvalidRun(
                f"the task reports {unknown[0]!r}, which its card does not declare; add a Metric "
                "to the card."
            )
        metrics = figures(self.card, {name: score.metrics.get(name) for name in declared})
        if metrics[self.card.primary.name] is None and score.not_rankable is None:
            lacks = (
                ""
                if reported
                else " The method reported nothing, which it may need: call run.report."
            )
            raise InvalidRun(
                f"the task gave no value for its primary metric {self.card.primary.name!r}.{lacks}"
            )
        return metrics

    def _memory(self) -> dict[str, float | None]:
        import torch

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1024 if sys.platform != "darwin" else 1024**2
        )
        return {
            "peak_rss_mb": peak,
            "peak_gpu_mb": torch.cuda.max_memory_allocated() / 2**20
            if self.device.type == "cuda"
            else None,
        }


def run_job(job: Job, send: Send) -> list[Result]:
    """Run the specs of a job and return a result for each, whatever happens short of the process
    dying.

    A stack that fails is tried again seed by seed, each beside a twin, so that one bad seed costs
    only itself.
    """
    return [as_text(result) for result in _results(job, send)]


def _results(job: Job, send: Send) -> list[Result]:
    try:
        worker = Worker(job, send)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's import may raise anything
        return [failed(error) for _ in job.specs]
    results = _first_pass(worker, job)
    wanted = [
        (spec, result)
        for spec, result in zip(job.specs, results, strict=True)
        if spec.seed in worker.solved and result.status == "ok"
    ]
    if wanted:
        # they stand, whatever becomes of the second pass
        send({"kept": [as_text(result) for result in results]})
        solved = worker.solved
        del worker  # with what the method and the task may have kept
        _count(job, send, wanted, solved)
    return results


def _count(
    job: Job, send: Send, wanted: Sequence[tuple[RunSpec, Result]], solved: Mapping[int, Solved]
) -> None:
    from bench.runs.counting import count

    for spec, result in wanted:
        count(lambda: Worker(job, send), spec, solved[spec.seed], result)


def _first_pass(worker: Worker, job: Job) -> list[Result]:
    if job.specs[0].form == "single":
        return [result for spec in job.specs for result in _attempt(worker, [spec], twin=False)]
    if len(job.specs) == 1:
        return _attempt(worker, [job.specs[0]] * 2, twin=True)
    results = _attempt(worker, job.specs, twin=False)
    if all(result.status == "ok" for result in results):
        return results
    return [result for spec in job.specs for result in _attempt(worker, [spec] * 2, twin=True)]


def _attempt(worker: Worker, specs: Sequence[RunSpec], twin: bool) -> list[Result]:
    started = now()
    try:
        return worker.run(specs, twin)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit of a plugin included
        return [
            msgspec.structs.replace(
                failed(error), started=started, data=worker.data.get(spec.cell, {})
            )
            for spec in (specs[:1] if twin else specs)
        ]
