"""Specs of a job on their way in one process: prepare, solve, reveal, evaluate."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.contracts import Outcome, Score
from bench.digests import stream_seed
from bench.errors import InvalidRun, blaming
from bench.runs import guard
from bench.runs.context import Run
from bench.runs.figures import figures
from bench.runs.folders import at, attempt
from bench.runs.loaded_job import LoadedJob, Send
from bench.runs.read_observer import ReadObserver
from bench.runs.result import Result, now, peak_memory
from bench.runs.saved import save_files
from bench.runs.seed_run import SeedRun, separate
from bench.runs.solution_digest import Solved, digest_of
from bench.runs.spec import Job, RunSpec
from bench.runs.worker_tools import WorkerTools
from bench.texts import text_of


class Worker(LoadedJob):
    """Takes the specs of a job from prepare to evaluate."""

    def __init__(self, job: Job, send: Send) -> None:
        super().__init__(job, send)
        self.moved = False
        self.solved: dict[int, Solved] = {}
        """Seed -> what its first pass is known by, of those that are to be counted."""

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
                self.restore(left, flags)
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
            SeedRun(
                spec,
                self,
                home / f"{'twin-' if twin else ''}{position}-seed-{spec.seed}",
                WorkerTools,
            )
            for position, spec in enumerate(specs)
        ]
        for seed_run in seed_runs:
            closing.callback(seed_run.close)
            seed_run.prepare()
        separate(seed_runs)
        return seed_runs

    def _solve(self, seed_runs: list[SeedRun]) -> tuple[list[list[Any]], float, float]:
        from bench.training import state

        state.synchronize(self.device)
        start, start_cpu = time.perf_counter(), time.process_time()
        with state.streams(
            stream_seed(
                seed_runs[0].spec.seed, seed_runs[0].spec.task, "solve", seed_runs[0].spec.method
            )
        ):
            # to read it takes as long as many a check; alone a method may draw what it likes
            stacked = seed_runs[0].spec.form == "stacked"
            place = state.position() if stacked else ""
            observer = ReadObserver(thorough=False, apart=True)
            try:
                with observer:
                    solutions = self._solutions(seed_runs)
            finally:
                for seed_run in seed_runs:
                    seed_run.opened(observer)
            self.moved = stacked and state.position() != place
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
        with streams(stream_seed(spec.seed, spec.task, "evaluate")), seed_run.observer():
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
            **peak_memory(self.device),
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
