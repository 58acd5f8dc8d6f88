"""``bench run``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bench.cli._board import board_text
from bench.cli._options import (
    emit_json,
    json_option,
    names_option,
    open_registry,
    plugins_option,
    results_folder,
    results_option,
    split_names,
    table,
    tracks_completer,
    warn,
)
from bench.cli._running import limits_of, run_cells, running_options
from bench.errors import EnvironmentFault, UsageError
from bench.params import render_call

if TYPE_CHECKING:
    from bench.executors import Executor
    from bench.plugins.registry import Registry
    from bench.runs.drive import Driver, Keyed
    from bench.runs.limits import Limits
    from bench.runs.plan import Plan
    from bench.runs.record import Record

_LEFT_OUT = ("curve", "logs", "row", "content", "edited")


_HELP = """Run methods on tasks, record every result, skip what is recorded already.

\b
bench run --method ce,elr --task noisy-digits --seeds 5
bench run --track noisy-labels --preset smoke
bench run --method 'elr[lam=1|3|7]' --task 'noisy-*' --dry-run
"""


@click.command("run", help=_HELP)
@names_option("method", help="Methods: names, comma lists, globs; parameters as 'elr[lam=1]', alternatives as 'elr[lam=1|3]'. Repeatable.")
@names_option("task", help="Tasks, written like methods. Repeatable.")
@click.option("--track", shell_complete=tracks_completer, help="Only this track; every method and task of it where none is named.")
@click.option("--all", "everything", is_flag=True, help="Every method on every task that fits.")
@click.option("--preset", default="default", show_default=True, help="Size of the tasks: smoke, default or paper.")
@click.option("--variant", "variants", multiple=True, help="Only these variants of the preset. Repeatable, comma lists.")
@click.option("--seeds", metavar="N|LIST", help="A number of seeds like 5, or a list like 0-4,7.  [default: the preset's]")
@click.option("--device", default="auto", show_default=True, help="auto (the GPU if there is one), cpu or cuda.")
@running_options
@click.option("--only", multiple=True, metavar="STANDING", help="Only cells that are missing, failed or stale. Repeatable, comma lists.")
@click.option("--budget", metavar="TIME", help="Run what is expected to fit this time, like 90s, 30m or 2h, the most valuable first.")
@click.option(
    "--tune", type=click.IntRange(2, 1000), metavar="N", help="Choose each method's parameters among up to N settings by the task's validation score."
)
@click.option("--dry-run", is_flag=True, help="Print what would run and what is there already; run nothing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no board.")
@results_option
@plugins_option
@json_option
def command(everything: bool, variants: tuple[str, ...], dry_run: bool, quiet: bool, as_json: bool, **options: Any) -> int:
    """Plan, run what is missing, report."""
    from bench.executors.engines import engine
    from bench.runs.drive import Driver, Keys, preload_names
    from bench.runs.plan import Request, make_plan
    from bench.runs.store import Store

    machines, registry = engine(options["executor"]), open_registry(options["plugins"])
    for item in registry.broken:
        warn(f"the plugin {item.name} ({item.source}) is broken and left out: {item.error}")
    request = Request(
        methods=split_names(options["methods"]), tasks=split_names(options["tasks"]), track=options["track"], all=everything, preset=options["preset"],
        variants=split_names(variants), seeds=options["seeds"], device=machines.device(options["device"]),
    )  # fmt: skip
    plan = make_plan(request, registry)
    _refuse_named(plan, request.methods, request.tasks)
    store = Store(results_folder(options["results"]))
    slots, jobs = machines.places(request.device, options["jobs"], options["per_gpu"])
    driver = Driver(registry, store, limits_of(options, machines, jobs), Keys(registry, machines.environment))

    def engine_for(todo: list[Keyed]) -> Executor:
        return machines.executor(slots, preload_names(todo, registry), warn)

    if not dry_run:
        store.open_for_writing()
    if options["tune"]:
        if options["only"] or options["budget"]:
            raise UsageError("--tune goes with neither --only nor --budget; it says itself how much it spends.")
        plan = _tuned(plan, driver, options["tune"], engine_for, jobs, dry_run, quiet or as_json)
        _refuse_named(plan, request.methods, request.tasks)
    done, todo = driver.split(plan)
    todo = _selected(plan, driver, done, todo, options, jobs)
    for damaged in store.damaged:
        warn(f"the record {damaged.path} is not used: {damaged.reason}.")
    if dry_run:
        _print_plan(plan, done, todo, as_json, driver.limits)
        return 0
    records = list(done)
    if todo:
        records += run_cells(driver, todo, engine_for(todo), jobs, quiet or as_json, len(done))
    _report(registry, plan, driver, records, as_json, quiet)
    if any(record.status != "ok" for record in records):
        return 1
    named = _all_named(request.methods, request.tasks)
    return EnvironmentFault.exit_code if driver.not_run and named else 0


def _tuned(plan: Plan, driver: Driver, count: int, engine_for: Callable[[list[Keyed]], Executor], jobs: int, dry_run: bool, quiet: bool) -> Plan:
    """Run the trials of --tune and return the plan with the chosen parameters; with --dry-run, the trials are the plan until all are recorded."""
    from bench.runs.plan import NotRun, Plan
    from bench.runs.search import chosen, searches

    found, rest = searches(plan, count)
    trials = Plan([cell for search in found for cells in search.runs() for cell in cells], [])
    done, todo = driver.split(trials)
    if dry_run and todo:
        warn(f"--tune: {len(todo)} of {len(trials.cells)} trial runs come first and are shown; the runs with the chosen parameters follow them.")
        return Plan([*trials.cells, *rest.cells], rest.not_run)
    records = list(done)
    if todo:
        records += run_cells(driver, todo, engine_for(todo), jobs, quiet, len(done))
    by_cell = {record.cell: record for record in records}
    for search in found:
        outcome = chosen(search, by_cell)
        if isinstance(outcome, NotRun):
            rest.not_run.append(outcome)
            continue
        rest.cells += outcome
        spec = outcome[0].spec
        warn(
            f"--tune: {render_call(spec.method, spec.params)} is the best of {len(search.trials)} settings on {spec.task} {spec.variant} by {search.metric.name}."
        )
    return rest


def _selected(plan: Plan, driver: Driver, done: list[Record], todo: list[Keyed], options: dict[str, Any], jobs: int) -> list[Keyed]:
    """Return what --only and --budget leave; the rest goes to ``plan.not_run``."""
    from bench.runs.select import only, parse_budget, parse_only, within

    todo, left = only(todo, driver.standings, parse_only(split_names(options["only"])))
    plan.not_run += left
    if options["budget"] is not None:
        todo, left = within(todo, {record.group for record in done}, driver.expected.of, parse_budget(options["budget"]), jobs)
        plan.not_run += left
    return todo


def _refuse_named(plan: Plan, methods: tuple[str, ...], tasks: tuple[str, ...]) -> None:
    """Raise an error for a pair that was asked for by name and can't run; globs and tracks only list it."""
    if not _all_named(methods, tasks):
        return
    for item in plan.not_run:
        if item.status == "unavailable":
            raise EnvironmentFault(f"{item.method} on {item.task} can't run here: {item.reason}.")
        raise UsageError(f"{item.method} does not apply to {item.task}: {item.reason}; leave one out, or use a glob to run the pairs that fit.")


def _all_named(methods: tuple[str, ...], tasks: tuple[str, ...]) -> bool:
    """Say whether every pair was asked for by name, so that one that can't run is an error and not a row."""
    return bool(methods and tasks) and not any("*" in name or "?" in name for name in (*methods, *tasks))


def _report(registry: Registry, plan: Plan, driver: Any, records: list[Record], as_json: bool, quiet: bool) -> None:
    import msgspec

    not_run = [*plan.not_run, *driver.not_run]
    if as_json:
        brief = [{name: value for name, value in msgspec.to_builtins(record).items() if name not in _LEFT_OUT} for record in records]
        emit_json({"schema_version": 1, "records": brief, "not_run": [msgspec.to_builtins(item) for item in not_run]})
        return
    if not quiet and records:
        click.echo(board_text(registry, records, {}, "md"))
    for item in not_run:
        warn(f"{item.status}: {item.method} on {item.task}: {item.reason}")


def _print_plan(plan: Plan, done: list[Record], todo: list[Keyed], as_json: bool, limits: Limits) -> None:
    recorded = {record.cell for record in done}
    wanted = {keyed.cell.spec.cell for keyed in todo}
    groups: dict[str, list[Any]] = {}
    for cell in plan.cells:
        groups.setdefault(cell.spec.group, []).append(cell)
    rows = []
    for cells in groups.values():
        spec = cells[0].spec
        known = sum(cell.spec.cell in recorded for cell in cells)
        defaults = cells[0].method.params if cells[0].method else {}
        origin = {name: "default" if value == defaults[name].default else "command line" for name, value in spec.params.items()}
        rows.append({
            "track": spec.track, "method": spec.method, "params": spec.params, "origin": origin, "task": spec.task, "preset": spec.preset, "variant": spec.variant,
            "seeds": [cell.spec.seed for cell in cells], "device": spec.device, "form": spec.form, "recorded": known, "to_run": sum(cell.spec.cell in wanted for cell in cells),
            "limits": {"wall": limits.wall or cells[0].timeout, "cpu": limits.cpu, "memory": limits.memory, "gpu_memory": limits.gpu_memory, "per_gpu": limits.per_gpu},
        })  # fmt: skip
    if as_json:
        import msgspec

        emit_json({"schema_version": 1, "cells": rows, "not_run": [msgspec.to_builtins(item) for item in plan.not_run]})
        return
    lines = [
        [
            render_call(row["method"], {name: value for name, value in row["params"].items() if row["origin"][name] != "default"}),
            row["task"],
            row["variant"],
            len(row["seeds"]),
            row["device"],
            row["form"],
            row["recorded"],
            row["to_run"],
        ]
        for row in rows
    ]
    left = len(plan.cells) - len(done) - len(todo)
    click.echo(table(lines, ["method", "task", "variant", "seeds", "device", "form", "recorded", "to run"]))
    click.echo(f"\n{len(plan.cells)} runs: {len(done)} recorded, {len(todo)} to run{f', {left} left out' if left else ''}.")
    for status, count in Counter((item.status, item.method, item.task, item.reason) for item in plan.not_run).items():
        click.echo(f"{status[0]}: {status[1]} on {status[2]}: {status[3]}" + (f" ({count} variants)" if count > 1 else ""))
