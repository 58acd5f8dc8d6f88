"""The harness from Python: ``bench.run``, ``bench.load_results``,
``bench.method``, for notebooks and scripts.
"""

from __future__ import annotations

import os
from typing import Literal, TypedDict, Unpack, overload

import msgspec

from bench import arguments
from bench.arguments import Names, Paths, Seeds
from bench.shown import Plugin, Preview, Results


class Options(TypedDict, total=False):
    """The arguments of :func:`run` besides ``dry_run``, for type checkers."""

    method: Names
    task: Names
    track: str | None
    suite: str | None
    all: bool
    preset: str
    variant: Names
    seeds: Seeds | None
    device: str
    jobs: int | None
    timeout: float | None
    cpu_time: float | None
    memory: str | int | None
    per_gpu: int
    flops: bool | None
    gpu_memory: str | int | None
    executor: str
    only: Names
    budget: str | float | None
    tune: int | None
    quiet: bool
    results: str | os.PathLike[str] | None
    plugins: Paths


@overload
def run(*, dry_run: Literal[False] = False, **options: Unpack[Options]) -> Results: ...
@overload
def run(*, dry_run: Literal[True], **options: Unpack[Options]) -> Preview: ...
def run(
    *,
    method: Names = (),
    task: Names = (),
    track: str | None = None,
    suite: str | None = None,
    all: bool = False,
    preset: str = "default",
    variant: Names = (),
    seeds: Seeds | None = None,
    device: str = "auto",
    jobs: int | None = None,
    timeout: float | None = None,
    cpu_time: float | None = None,
    memory: str | int | None = None,
    per_gpu: int = 1,
    flops: bool | None = None,
    gpu_memory: str | int | None = None,
    executor: str = "local",
    only: Names = (),
    budget: str | float | None = None,
    tune: int | None = None,
    dry_run: bool = False,
    quiet: bool = False,
    results: str | os.PathLike[str] | None = None,
    plugins: Paths = (),
) -> Results | Preview:
    """Run methods on tasks as ``bench run`` does, record what is missing, and return all that was
    asked for.

    It takes what ``bench run`` takes, and needs no ``if __name__ == "__main__"`` around it: runs
    live in a program of their own. An interrupt ends it as Ctrl-C ends ``bench run``: what was
    finished is recorded, and the same call goes on.

    Args:
        method: methods, like ``"ce,elr"``, ``["ce", "elr[lam=1|3]"]`` or ``"*"``; none: those of
            the track.
        task: tasks, written like methods.
        track: only this track; every method and task of it where none is named.
        suite: what a suite declares: its tasks, variants, methods and seeds; ``track``, ``task``,
            ``method`` and ``variant`` take a part of it.
        all: every method on every task that fits.
        preset: size of the tasks: ``smoke``, ``default`` or ``paper``.
        variant: only these variants.
        seeds: a number of seeds, text like ``"0-4,7"``, or the seeds themselves, like ``[0, 1]`` or
            ``range(2)``; None: the preset's.
        device: ``auto``, ``cpu`` or ``cuda``.
        jobs: runs at a time; None: one a core, or as many as fit on the GPUs.
        timeout: wall-clock limit of one run in seconds, above 0; None: the preset's.
        cpu_time: limit of processor time of one run in seconds, above 0; None: none.
        memory: limit of one run's memory, like ``"4GiB"``, ``"none"`` or bytes; None: an even share
            of the machine's.
        per_gpu: runs at a time on one GPU.
        flops: count the operations of one seed of each row, in a second pass; None: unless
            ``BENCH_FLOPS`` is 0.
        gpu_memory: limit of one run's GPU memory; None: an even share of the GPU's.
        executor: ``local``, ``inline`` for a debugger, or one with its parameters, like
            ``"ray[address=auto]"``.
        only: only cells that are ``missing``, ``failed`` or ``stale``.
        budget: run what is expected to fit this time, like ``"30m"`` or a number of seconds, the
            most valuable first.
        tune: choose each method's parameters among up to this many settings by the task's
            validation score.
        dry_run: run nothing, and return what would run.
        quiet: show no progress.
        results: the folder of results; None: ``BENCH_RESULTS``, else ``./results``.
        plugins: a file or folder to load besides, or several.

    Returns:
        The records of all that was asked for, in the order of the plan; a :class:`Preview` of a dry
        run.

    Raises:
        UsageError: a name, parameter or seed is wrong. NothingSelected: nothing fits.
            EnvironmentFault: it can't run here.
    """
    from bench.cli._options import results_folder
    from bench.cli._session import Choice, Session
    from bench.cli._suite import declared, suite_plan
    from bench.cli._where import Where
    from bench.plugins.registry import Registry
    from bench.runs.plan import Request
    from bench.runs.select import parse_only

    files = arguments.paths("plugins", plugins)
    registry, found = Registry(files), None
    if suite is not None:
        found = declared(registry, arguments.word("suite", suite, "the name of a suite"), files)
        device = found["device"] if device == "auto" else device
    where = Where(
        executor=arguments.word(
            "executor", executor, "'local', 'inline', 'ray[...]' or 'slurm[...]'"
        ),
        device=arguments.word("device", device, "'auto', 'cpu' or 'cuda'"),
        jobs=arguments.count("jobs", jobs, 1, 4096),
        timeout=arguments.seconds("timeout", timeout),
        cpu_time=arguments.seconds("cpu_time", cpu_time),
        memory=arguments.size("memory", memory),
        gpu_memory=arguments.size("gpu_memory", gpu_memory),
        per_gpu=arguments.count("per_gpu", per_gpu, 1, 64) or 1,
        flops=None if flops is None else arguments.flag("flops", flops),
    )
    request = Request(
        methods=arguments.names("method", method),
        tasks=arguments.names("task", task),
        track=None if track is None else arguments.word("track", track, "the name of a track"),
        all=arguments.flag("all", all),
        preset=arguments.word("preset", preset, "'smoke', 'default' or 'paper'"),
        variants=arguments.names("variant", variant),
        seeds=arguments.seeds(seeds),
    )
    choice = Choice(
        only=parse_only(arguments.names("only", only)),
        budget=arguments.budget(budget),
        tune=arguments.count("tune", tune, 2, 1000),
    )
    dry_run, quiet = arguments.flag("dry_run", dry_run), arguments.flag("quiet", quiet)
    session = Session(registry, results_folder(arguments.path("results", results)), where, quiet)
    request = msgspec.structs.replace(request, device=session.device)
    try:
        plan = None if found is None else suite_plan(found, request, registry)
        prepared = session.prepare(request, choice, dry_run, plan)
        return (
            Preview(prepared, session.limits)
            if dry_run
            else Results(*session.finish(prepared), registry=session.registry)
        )
    except KeyboardInterrupt as error:
        what = f"{error}; " if str(error) else ""
        raise KeyboardInterrupt(
            f"{what}what was finished is recorded; run the same call again to go on"
        ) from None


def load_results(
    results: str | os.PathLike[str] | None = None,
    *,
    method: Names = (),
    task: Names = (),
    track: str | None = None,
    preset: str | None = None,
    plugins: Paths = (),
) -> Results:
    """Return what is recorded, the last attempt of each cell and key.

    Args:
        results: the folder of results; None: ``BENCH_RESULTS``, else ``./results``.
        method: only methods of these names, or ``track/name``.
        task: only tasks of these names, or ``track/name``.
        track: only this track.
        preset: only this preset.
        plugins: files and folders to load besides, so that the board knows their tasks.

    Raises:
        UsageError: there is no such folder.
    """
    from bench.cli._options import results_folder
    from bench.errors import UsageError
    from bench.plugins.registry import Registry
    from bench.runs.store import Store, latest

    folder = results_folder(arguments.path("results", results))
    if not folder.is_dir():
        raise UsageError(
            f"no results folder at {str(folder)!r}; run something first with bench.run, or name "
            "the folder."
        )
    methods, tasks = set(arguments.names("method", method)), set(arguments.names("task", task))
    found = [
        record
        for record in latest(Store(folder).briefs()).values()
        if (not track or record.track == track)
        and (not preset or record.preset == preset)
        and (not methods or methods.intersection(record.method_names))
        and (not tasks or tasks & {record.task, record.identity})
    ]
    found.sort(key=lambda record: (record.identity, record.variant, record.method, record.seed))
    return Results(found, registry=Registry(arguments.paths("plugins", plugins)))


def method(name: str, *, plugins: Paths = ()) -> Plugin:
    """Return a method by its name, or ``track/name``; called, it gives the method with parameters:
    ``bench.method("elr")(lam=1.0)``.

    Raises:
        UsageError: there is none of that name, or several tracks have another method of it.
    """
    from bench.plugins.registry import Registry

    registry = Registry(arguments.paths("plugins", plugins))
    found = registry.select(
        "method", arguments.word("name", name, "a method's name, or track/name")
    )
    return Plugin(
        found[0] if len({entry.target for entry in found}) == 1 else registry.one("method", name)
    )
