"""The harness from Python: ``bench.run``, ``bench.load_results``, ``bench.method``, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from bench.plugins.index import Entry
    from bench.plugins.registry import Registry
    from bench.runs.record import Record

Names = str | Iterable[str]
"""A name, a comma list or a glob as the command line takes it, or several."""


class Results(Sequence["Record"]):
    """Records, and the board of them. A notebook shows the board; so does ``print``.

    Attributes:
        not_run: pairs that were asked for and not run, with the reason.
    """

    def __init__(self, records: Iterable[Record], registry: Registry, not_run: Iterable[Any] = ()) -> None:
        self._records, self._registry, self.not_run = list(records), registry, list(not_run)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Record | Results:
        """Return a record, or the results of a slice."""
        return Results(self._records[index], self._registry) if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def where(self, chosen: Callable[[Record], bool]) -> Results:
        """Return the results for which ``chosen(record)`` holds."""
        return Results(filter(chosen, self._records), self._registry)

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


def run(
    *,
    method: Names = (),
    task: Names = (),
    track: str | None = None,
    preset: str = "default",
    variant: Names = (),
    seeds: int | str | None = None,
    device: str = "auto",
    jobs: int | None = None,
    results: str | Path | None = None,
    plugins: Iterable[str | Path] = (),
    executor: str = "local",
) -> Results:
    """Run methods on tasks as ``bench run`` does, record what is missing, and return all that was asked for.

    It needs no ``if __name__ == "__main__"`` around it: runs live in a program of their own.

    Args:
        method: methods, like ``"ce,elr"``, ``["ce", "elr[lam=1|3]"]`` or ``"*"``; none: those of the track.
        task: tasks, written like methods.
        track: only this track.
        preset: size of the tasks: ``smoke``, ``default`` or ``paper``.
        variant: only these variants.
        seeds: a number of seeds, or a list like ``"0-4,7"``; None: the preset's.
        device: ``auto``, ``cpu`` or ``cuda``.
        jobs: runs at a time; None: one a core, or as many as fit on the GPUs.
        results: the folder of results; None: ``BENCH_RESULTS``, else ``./results``.
        plugins: files and folders to load besides.
        executor: ``local``, ``inline`` for a debugger, or one with its parameters, like ``"ray[address=auto]"``.

    Raises:
        UsageError: a name, parameter or seed is wrong. NothingSelected: nothing fits. EnvironmentFault: it can't run here.
    """
    from bench.cli._options import results_folder, split_names, warn
    from bench.cli._running import run_cells
    from bench.executors.engines import engine
    from bench.plugins.registry import Registry
    from bench.runs.drive import Driver, Keys, preload_names
    from bench.runs.limits import Limits
    from bench.runs.plan import Request, make_plan
    from bench.runs.store import Store

    machines, registry = engine(executor), Registry(map(str, plugins))
    request = Request(
        methods=split_names(_names(method)), tasks=split_names(_names(task)), track=track, preset=preset, variants=split_names(_names(variant)),
        seeds=None if seeds is None else str(seeds), device=machines.device(device),
    )  # fmt: skip
    plan = make_plan(request, registry)
    slots, parallel = machines.places(request.device, jobs, 1)
    store = Store(results_folder(None if results is None else str(results)))
    store.open_for_writing()
    driver = Driver(registry, store, Limits(memory=machines.memory(parallel)), Keys(registry, machines.environment))
    done, todo = driver.split(plan)
    ran = run_cells(driver, todo, machines.executor(slots, preload_names(todo, registry), warn), parallel, False, len(done)) if todo else []
    order = {cell.spec.cell: position for position, cell in enumerate(plan.cells)}
    return Results(sorted([*done, *ran], key=lambda record: order[record.cell]), registry, [*plan.not_run, *driver.not_run])


def load_results(
    results: str | Path | None = None,
    *,
    method: Names = (),
    task: Names = (),
    track: str | None = None,
    preset: str | None = None,
    plugins: Iterable[str | Path] = (),
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
    from bench.cli._options import results_folder, split_names
    from bench.errors import UsageError
    from bench.plugins.registry import Registry
    from bench.runs.store import Store, latest

    folder = results_folder(None if results is None else str(results))
    if not folder.is_dir():
        raise UsageError(f"no results folder at {str(folder)!r}; run something first with bench.run, or name the folder.")
    methods, tasks = set(split_names(_names(method))), set(split_names(_names(task)))
    found = [
        record
        for record in latest(Store(folder).briefs()).values()
        if (not track or record.track == track)
        and (not preset or record.preset == preset)
        and (not methods or methods & {record.method, f"{record.track}/{record.method}"})
        and (not tasks or tasks & {record.task, record.identity})
    ]
    return Results(sorted(found, key=lambda record: (record.identity, record.variant, record.method, record.seed)), Registry(map(str, plugins)))


def method(name: str, *, plugins: Iterable[str | Path] = ()) -> Plugin:
    """Return a method by its name, or ``track/name``; called, it gives the method with parameters: ``bench.method("elr")(lam=1.0)``.

    Raises:
        UsageError: there is none of that name, or several tracks have another method of it.
    """
    from bench.plugins.registry import Registry

    registry = Registry(map(str, plugins))
    found = registry.select("method", name)
    return Plugin(found[0] if len({entry.target for entry in found}) == 1 else registry.one("method", name))


def _names(given: Names) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
