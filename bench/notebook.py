"""The harness from Python: ``bench.run``, ``bench.load_results``, ``bench.method``, for notebooks and scripts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

import msgspec

from bench import arguments
from bench.arguments import Names, Paths, Seeds

if TYPE_CHECKING:
    from bench.cli._session import Prepared
    from bench.plugins.index import Entry
    from bench.plugins.registry import Registry
    from bench.runs.limits import Limits
    from bench.runs.plan import NotRun
    from bench.runs.record import Record


class Results(Sequence["Record"]):
    """Records, and the board of them. A notebook shows the board; so does ``print``.

    Attributes:
        not_run: pairs that were asked for and not run, with the reason.
    """

    def __init__(self, records: Iterable[Record], not_run: Iterable[Any] = (), *, registry: Registry) -> None:
        self._records, self._registry, self.not_run = list(records), registry, list(not_run)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Record | Results:
        """Return a record, or the results of a slice."""
        return Results(self._records[index], registry=self._registry) if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def where(self, chosen: Callable[[Record], bool]) -> Results:
        """Return the results for which ``chosen(record)`` holds."""
        return Results(filter(chosen, self._records), registry=self._registry)

    def board(self, format: str = "md") -> str:
        """Return the board as ``md``, ``json`` or ``csv``.

        Raises:
            UsageError: there is no such format.
        """
        from bench.cli._board import board_text

        return board_text(self._registry, self._records, {}, format)

    def rows(self) -> list[dict[str, Any]]:
        """Return a plain row for each record: what it is of, its status, its metrics, and its cost under ``cost.``; ``pandas.DataFrame`` takes it."""
        names = ("track", "method", "task", "preset", "variant", "seed", "device", "status")
        return [
            {name: getattr(record, name) for name in names}
            | {"params": dict(record.params)}
            | dict(record.metrics)
            | {f"cost.{name}": value for name, value in record.cost.items()}
            for record in self._records
        ]

    def __repr__(self) -> str:
        """Return the board as text."""
        return self.board() if self._records else "no results"

    def _repr_markdown_(self) -> str:
        return repr(self)


class Preview:
    """What ``bench.run(..., dry_run=True)`` would do. A notebook shows the table that ``bench run --dry-run`` prints; so does ``print``.

    Attributes:
        recorded: how many runs are recorded already.
        to_run: how many would run.
        not_run: pairs that were asked for and would not run, with the reason.
    """

    def __init__(self, prepared: Prepared, limits: Limits) -> None:
        self._prepared, self._limits = prepared, limits
        self.recorded, self.to_run = len(prepared.done), len(prepared.todo)
        self.not_run: list[NotRun] = list(prepared.plan.not_run)

    def __len__(self) -> int:
        """Return the number of runs asked for, those that are recorded included."""
        return len(self._prepared.plan.cells)

    def rows(self) -> list[dict[str, Any]]:
        """Return a plain row for each row of the board: what it is of, its seeds and limits, and how many of its runs are recorded and would run."""
        from bench.cli._preview import rows

        return rows(self._prepared, self._limits)

    def __repr__(self) -> str:
        """Return the table as text."""
        from bench.cli._preview import text

        return text(self._prepared, self._limits)

    def _repr_markdown_(self) -> str:
        from bench.cli._preview import text

        return text(self._prepared, self._limits, "github")


class Options(TypedDict, total=False):
    """The arguments of :func:`run` besides ``dry_run``, for type checkers."""

    method: Names
    task: Names
    track: str | None
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


class Plugin:
    """A method, task or data set: its card, and its class once asked for. A notebook shows what ``bench show`` prints.

    Attributes:
        card: what is known of it.
        params: its parameters by name, each with type, default and help.
    """

    def __init__(self, entry: Entry) -> None:
        self._entry, self.card, self.params = entry, entry.card, entry.params

    def load(self) -> type[Any]:
        """Import and return its class."""
        from bench.plugins.source import import_target

        return import_target(self._entry.target)

    def __call__(self, **params: Any) -> Any:
        """Return it with these parameters, checked.

        Raises:
            ParameterError: a parameter is unknown or its value wrong.
        """
        from bench.params import resolve

        return self.load().make(resolve(self._entry.name, self.params, params))

    def __repr__(self) -> str:
        """Return what ``bench show`` prints."""
        from bench.cli.show_ import card_text

        return card_text([self._entry])


@overload
def run(*, dry_run: Literal[False] = False, **options: Unpack[Options]) -> Results: ...
@overload
def run(*, dry_run: Literal[True], **options: Unpack[Options]) -> Preview: ...
def run(
    *,
    method: Names = (),
    task: Names = (),
    track: str | None = None,
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
    """Run methods on tasks as ``bench run`` does, record what is missing, and return all that was asked for.

    It takes what ``bench run`` takes, and needs no ``if __name__ == "__main__"`` around it: runs live in a program of their own.
    An interrupt ends it as Ctrl-C ends ``bench run``: what was finished is recorded, and the same call goes on.

    Args:
        method: methods, like ``"ce,elr"``, ``["ce", "elr[lam=1|3]"]`` or ``"*"``; none: those of the track.
        task: tasks, written like methods.
        track: only this track; every method and task of it where none is named.
        all: every method on every task that fits.
        preset: size of the tasks: ``smoke``, ``default`` or ``paper``.
        variant: only these variants.
        seeds: a number of seeds, text like ``"0-4,7"``, or the seeds themselves, like ``[0, 1]`` or ``range(2)``; None: the preset's.
        device: ``auto``, ``cpu`` or ``cuda``.
        jobs: runs at a time; None: one a core, or as many as fit on the GPUs.
        timeout: wall-clock limit of one run in seconds, above 0; None: the preset's.
        cpu_time: limit of processor time of one run in seconds, above 0; None: none.
        memory: limit of one run's memory, like ``"4GiB"``, ``"none"`` or bytes; None: an even share of the machine's.
        per_gpu: runs at a time on one GPU.
        flops: count the operations of one seed of each row, in a second pass; None: unless ``BENCH_FLOPS`` is 0.
        gpu_memory: limit of one run's GPU memory; None: an even share of the GPU's.
        executor: ``local``, ``inline`` for a debugger, or one with its parameters, like ``"ray[address=auto]"``.
        only: only cells that are ``missing``, ``failed`` or ``stale``.
        budget: run what is expected to fit this time, like ``"30m"`` or a number of seconds, the most valuable first.
        tune: choose each method's parameters among up to this many settings by the task's validation score.
        dry_run: run nothing, and return what would run.
        quiet: show no progress.
        results: the folder of results; None: ``BENCH_RESULTS``, else ``./results``.
        plugins: a file or folder to load besides, or several.

    Returns:
        The records of all that was asked for, in the order of the plan; a :class:`Preview` of a dry run.

    Raises:
        UsageError: a name, parameter or seed is wrong. NothingSelected: nothing fits. EnvironmentFault: it can't run here.
    """
    from bench.cli._options import results_folder
    from bench.cli._session import Choice, Session, Where
    from bench.plugins.registry import Registry
    from bench.runs.plan import Request
    from bench.runs.select import parse_only

    where = Where(
        executor=arguments.word("executor", executor, "'local', 'inline', 'ray[...]' or 'slurm[...]'"),
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
    choice = Choice(only=parse_only(arguments.names("only", only)), budget=arguments.budget(budget), tune=arguments.count("tune", tune, 2, 1000))
    dry_run, quiet = arguments.flag("dry_run", dry_run), arguments.flag("quiet", quiet)
    session = Session(Registry(arguments.paths("plugins", plugins)), results_folder(arguments.path("results", results)), where, quiet)
    request = msgspec.structs.replace(request, device=session.device)
    try:
        prepared = session.prepare(request, choice, dry_run)
        return Preview(prepared, session.limits) if dry_run else Results(*session.finish(prepared), registry=session.registry)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what was finished is recorded; run the same call again to go on") from None


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
        raise UsageError(f"no results folder at {str(folder)!r}; run something first with bench.run, or name the folder.")
    methods, tasks = set(arguments.names("method", method)), set(arguments.names("task", task))
    found = [
        record
        for record in latest(Store(folder).briefs()).values()
        if (not track or record.track == track)
        and (not preset or record.preset == preset)
        and (not methods or methods & {record.method, f"{record.track}/{record.method}"})
        and (not tasks or tasks & {record.task, record.identity})
    ]
    found.sort(key=lambda record: (record.identity, record.variant, record.method, record.seed))
    return Results(found, registry=Registry(arguments.paths("plugins", plugins)))


def method(name: str, *, plugins: Paths = ()) -> Plugin:
    """Return a method by its name, or ``track/name``; called, it gives the method with parameters: ``bench.method("elr")(lam=1.0)``.

    Raises:
        UsageError: there is none of that name, or several tracks have another method of it.
    """
    from bench.plugins.registry import Registry

    registry = Registry(arguments.paths("plugins", plugins))
    found = registry.select("method", arguments.word("name", name, "a method's name, or track/name"))
    return Plugin(found[0] if len({entry.target for entry in found}) == 1 else registry.one("method", name))
