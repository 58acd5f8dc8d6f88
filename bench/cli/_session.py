"""What everything that runs cells shares, from the command line and from Python: where runs run,
and the way from a request to its records.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.cli._options import number, warn
from bench.cli._where import Where, limit_words, limits_of
from bench.errors import EnvironmentFault, UsageError
from bench.params import render_call

if TYPE_CHECKING:
    from bench.executors import Executor
    from bench.plugins.registry import Registry
    from bench.runs.driver import Driver
    from bench.runs.keys import Keyed
    from bench.runs.plan import NotRun, Plan, Request
    from bench.runs.record import Record
    from bench.runs.store import Store


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which cells of a request run, and with which parameters."""

    only: tuple[str, ...] = ()
    """Some of :data:`bench.runs.select.STATUSES`; empty: all."""
    budget: float | None = None
    """Seconds by the clock."""
    tune: int | None = None
    """How many settings of each method are tried."""


class Prepared(msgspec.Struct):
    """A plan held against the records: what is recorded, and what is left to run."""

    plan: Plan
    done: list[Record]
    todo: list[Keyed]
    not_looked: dict[str, list[str]] = {}
    """Cell that is recorded -> the data of its record that nobody has looked at since."""


class Session:
    """Plugins, a folder of results, and the machines that run cells."""

    def __init__(self, registry: Registry, folder: Path, where: Where, quiet: bool) -> None:
        """Find the machines, and say on stderr which plugins are broken.

        Raises:
            UsageError: an option is wrong. EnvironmentFault: the device or the executor is not
                here.
        """
        from bench.executors.configs import Inline, Local, executor_config
        from bench.runs.cache import ready_cache
        from bench.runs.keys import Keys
        from bench.runs.rerun import Again
        from bench.runs.store import Store

        machines = executor_config(where.executor)
        if said := ready_cache(local=type(machines) in (Local, Inline)):
            warn(said)
        for item in registry.broken:
            warn(f"the plugin {item.name} ({item.source}) is broken and left out: {item.error}")
        self.registry, self.quiet = registry, quiet
        self.device = machines.device(where.device)
        self._machines = machines
        self._slots, self.jobs = machines.places(self.device, where.jobs, where.per_gpu)
        self.limits = limits_of(where, machines, self.jobs)
        self._again = Again(limits=limit_words(where, self.limits), executor=where.executor)
        self.keys = Keys(registry, machines.environment)
        self.store = Store(folder)
        flops = os.environ.get("BENCH_FLOPS", "1") != "0" if where.flops is None else where.flops
        self.driver = self.driver_of(self.store, flops)
        self.driver.tell = warn

    def driver_of(self, store: Store, flops: bool = False) -> Driver:
        """Return a driver that writes into another store."""
        from bench.runs.driver import Driver

        return Driver(self.registry, store, self.limits, self.keys, flops, self._again)

    def executor(self, todo: Sequence[Keyed]) -> Executor:
        """Return an executor that has loaded what these cells use."""
        from bench.runs.preload_names import preload_names

        return self._machines.executor(self._slots, preload_names(todo, self.registry), warn)

    def run(self, driver: Driver, todo: list[Keyed], cached: int = 0) -> list[Record]:
        """Run cells, show how far they are, and return their records."""
        from bench.cli._running import run_cells

        if not todo:  # a folder that can't be written has its board all the same
            return []
        driver.store.open_for_writing()
        return run_cells(driver, todo, self.executor(todo), self.jobs, self.quiet, cached)

    # From a request to its records -----------------------------------------------------

    def prepare(
        self, request: Request, choice: Choice, dry_run: bool, plan: Plan | None = None
    ) -> Prepared:
        """Plan a request, unless it is planned already, and hold it against the records; ``tune``
        runs its trials here, unless it is a dry run.

        Raises:
            UsageError: a name, parameter or seed is wrong. NothingSelected: nothing fits.
                EnvironmentFault: a pair that was named can't run.
        """
        from bench.runs.plan import make_plan

        plan = plan or make_plan(request, self.registry)
        for sentence in plan.notes:
            warn(sentence)
        refuse_named(plan, request)
        if choice.tune:
            if choice.only or choice.budget:
                raise UsageError(
                    "--tune goes with neither --only nor --budget; it says itself how much it "
                    "spends."
                )
            plan = self._tuned(plan, choice.tune, dry_run)
            refuse_named(plan, request)
        return self.held(
            plan, choice, dry_run, request.seeds if isinstance(request.seeds, str) else None
        )

    def held(self, plan: Plan, choice: Choice, dry_run: bool, seeds: str | None) -> Prepared:
        """Hold a plan against the records.

        ``seeds``: as they were asked for; None: nobody did.
        """
        from bench.runs.proofs import withdrawn_said

        done, todo = self.split(plan, look=not dry_run)
        todo = self._selected(plan, done, todo, choice)
        for damaged in self.store.damaged:
            warn(f"the record {damaged.path} is not used: {damaged.reason}.")
        for sentence in withdrawn_said(self.store.withdrawn):
            warn(sentence)
        if not self.quiet and (
            said := seeds_said(
                seeds,
                sorted({cell.spec.seed for cell in plan.cells}),
                len(todo),
                len(done),
            )
        ):
            warn(said)
        return Prepared(plan, done, todo, self.driver.not_looked)

    def split(
        self, plan: Plan, look: bool = True, flops: bool = True
    ) -> tuple[list[Record], list[Keyed]]:
        """Hold a plan against the records (see
        :meth:`bench.runs.driver.Driver.split`), and say what there is to say of data.
        """
        said = len(self.driver.notes)
        try:
            return self.driver.split(plan, look, flops)
        finally:
            for note in self.driver.notes[said:]:
                warn(note)

    def finish(self, prepared: Prepared) -> tuple[list[Record], list[NotRun]]:
        """Run what is left of a plan and return the records of all its
        cells in their order, and what was not run.
        """
        records = [*prepared.done, *self.run(self.driver, prepared.todo, len(prepared.done))]
        order = {cell.spec.cell: position for position, cell in enumerate(prepared.plan.cells)}
        return sorted(records, key=lambda record: order[record.cell]), [
            *prepared.plan.not_run,
            *self.driver.not_run,
        ]

    def _tuned(self, plan: Plan, count: int, dry_run: bool) -> Plan:
        """Run the trials of --tune and return the plan with the chosen parameters; in a dry run,
        the trials are the plan until all are recorded.
        """
        from bench.runs.plan import NotRun, Plan
        from bench.runs.search import chosen, searches

        found, rest = searches(plan, count)
        trials = Plan([cell for search in found for cells in search.runs() for cell in cells], [])
        done, todo = self.split(trials, look=not dry_run, flops=False)
        if dry_run and todo:
            warn(
                f"--tune: {len(todo)} of {len(trials.cells)} trial runs come first and are shown; "
                "the runs with the chosen parameters follow them."
            )
            return Plan([*trials.cells, *rest.cells], rest.not_run)
        by_cell = {
            record.cell: record for record in [*done, *self.run(self.driver, todo, len(done))]
        }
        for search in found:
            outcome = chosen(search, by_cell)
            if isinstance(outcome, NotRun):
                rest.not_run.append(outcome)
                continue
            rest.cells += outcome
            spec = outcome[0].spec
            warn(
                f"--tune: {render_call(spec.method, spec.params)} is the best of "
                f"{len(search.trials)} settings on {spec.task} {spec.variant} by "
                f"{search.metric.name}."
            )
        return rest

    def _selected(
        self, plan: Plan, done: list[Record], todo: list[Keyed], choice: Choice
    ) -> list[Keyed]:
        """Return what ``only`` and ``budget`` leave; the rest goes to ``plan.not_run``."""
        from bench.runs.select import only, within

        todo, left = only(todo, self.driver.statuses, choice.only)
        plan.not_run += left
        if choice.budget is not None:
            todo, left = within(
                todo,
                {record.group for record in done},
                self.driver.expected.of,
                choice.budget,
                self.jobs,
            )
            plan.not_run += left
        return todo


_MANY_SEEDS, _MANY_RUNS = 10, 100


def seeds_said(
    text: str | Sequence[int] | None, seeds: Sequence[int], to_run: int, recorded: int
) -> str:
    """Say which seeds ``--seeds`` asks for, where much is about to run: ``100`` is a hundred seeds
    and not the seed 100.

    Empty: no need to.

    Args:
        text: the seeds as they were asked for; None: nothing, so the presets say how many.
        seeds: the seeds of the plan.
        to_run: runs that are about to run.
        recorded: runs of the plan that have a record.
    """
    if text is None or not to_run or (len(seeds) < _MANY_SEEDS and to_run < _MANY_RUNS):
        return ""
    known = set(seeds)
    starts = [seed for seed in seeds if seed - 1 not in known]
    ends = [seed for seed in seeds if seed + 1 not in known]
    spans = [
        f"{start} to {end}" if end > start else str(start)
        for start, end in zip(starts, ends, strict=True)
    ]
    shown = ", ".join(spans[:5]) + (f" and {len(spans) - 5} more spans" if len(spans) > 5 else "")
    return (
        f"{number(len(seeds), 'seed')}, {shown}: {to_run:,} runs"
        + (f", and {recorded:,} recorded already" if recorded else "")
        + "."
    )


def all_named(request: Request) -> bool:
    """Say whether every pair was asked for by name, so that one that can't
    run is an error and not a row.
    """
    return bool(request.methods and request.tasks) and not any(
        "*" in name or "?" in name for name in (*request.methods, *request.tasks)
    )


def refuse_named(plan: Plan, request: Request) -> None:
    """Raise an error for a pair that was asked for by name and can't run;
    globs and tracks only list it.
    """
    if not all_named(request):
        return
    for item in plan.not_run:
        if item.status == "unavailable":
            raise EnvironmentFault(f"{item.method} on {item.task} can't run here: {item.reason}.")
        raise UsageError(
            f"{item.method} does not apply to {item.task}: {item.reason}; leave one out, or use a "
            "glob to run the pairs that fit."
        )


def where_of(options: dict[str, object]) -> Where:
    """Return where the options of a command say that runs run."""
    return msgspec.convert(
        {name: options[name] for name in Where.__struct_fields__ if name in options}, Where
    )
