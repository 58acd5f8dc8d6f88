"""One job in one process: its specs, seed by seed where a stack fails, and a pass that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bench.runs.counting import count
from bench.runs.loaded_job import Send
from bench.runs.result import Result, as_text, failed, from_keyboard, now
from bench.runs.solution_digest import Solved
from bench.runs.spec import Job, RunSpec
from bench.runs.worker import Worker


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
    except BaseException as error:  # a stranger's import may raise anything
        if from_keyboard(error):
            raise
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
    except BaseException as error:  # SystemExit of a plugin included
        if from_keyboard(error):
            raise
        return [
            msgspec.structs.replace(
                failed(error), started=started, data=worker.data.get(spec.cell, {})
            )
            for spec in (specs[:1] if twin else specs)
        ]
