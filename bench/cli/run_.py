"""``bench run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bench.cli._board import board_text
from bench.cli._grouped import not_run_lines
from bench.cli._layout import columns, markdown, wide_option
from bench.cli._options import (
    emit_json,
    json_option,
    names_option,
    open_registry,
    plugins_option,
    refuse_empty,
    results_folder,
    results_option,
    say,
    split_names,
    tracks_completer,
    warn,
)
from bench.cli._preview import document, text
from bench.cli._running import running_options
from bench.cli._session import Choice, Session, all_named, where_of
from bench.cli._suite import declared, suite_plan
from bench.errors import EnvironmentFault
from bench.texts import printable

if TYPE_CHECKING:
    from bench.runs.plan import NotRun
    from bench.runs.record import Record

_LEFT_OUT = ("curve", "logs", "row", "content", "edited", "gap", "carried")


_HELP = """Run methods on tasks, record every result, and skip recorded runs.

\b
bench run --method ce,elr --task noisy-digits --seeds 5
bench run --track noisy-labels --preset smoke
bench run --method 'elr[lam=1|3|7]' --task 'noisy-*' --dry-run
bench run --suite real --seeds 3
"""


@click.command("run", help=_HELP)
@names_option(
    "method",
    help="Methods: names, comma lists, globs; parameters as 'elr[lam=1]', alternatives as "
    "'elr[lam=1|3]'. Repeatable.",
)
@names_option("task", help="Tasks, written like methods. Repeatable.")
@click.option(
    "--track",
    shell_complete=tracks_completer,
    help="Only this track, with all its methods and tasks unless some are named.",
)
@click.option(
    "--suite",
    metavar="NAME",
    help="Run what a suite declares: its tasks, variants, methods and seeds; a series, like "
    "real, means its newest suite. --track, --task, --method and --variant select a part of it.",
)
@click.option("--all", "everything", is_flag=True, help="Every method on every task that fits.")
@click.option(
    "--preset",
    default="default",
    show_default=True,
    help="Size of the tasks: smoke, default, extended, paper; a task says which it has.",
)
@click.option(
    "--variant",
    "variants",
    multiple=True,
    help="Only these variants of the preset. Repeatable, comma lists.",
)
@click.option(
    "--seeds",
    metavar="N|LIST",
    help="A number of seeds like 5, or a list like 0-4,7.  [default: the preset's]",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto (the GPU if there is one), cpu or cuda.",
)
@running_options
@click.option(
    "--only",
    multiple=True,
    metavar="STATUS",
    help="Only cells that are missing, failed or stale. Repeatable, comma lists.",
)
@click.option(
    "--budget",
    metavar="TIME",
    help="Run as much as is expected to fit this time, like 90s, 30m or 2h, the most valuable "
    "runs first.",
)
@click.option(
    "--tune",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="Choose each method's parameters among up to N settings by the task's validation score.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print what would run and what is recorded; run nothing."
)
@click.option("--quiet", "-q", is_flag=True, help="No progress and no board.")
@wide_option
@results_option
@plugins_option
@json_option
def command(
    everything: bool,
    variants: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Plan, run what is missing, report."""
    from bench.runs.plan import Request
    from bench.runs.select import parse_budget, parse_only

    registry, suite = open_registry(options["plugins"]), None
    refuse_empty({"--suite": options["suite"]})
    if options["suite"] is not None:
        suite = declared(registry, options["suite"], options["plugins"])
        if options["device"] == "auto":
            options["device"] = suite["device"]
    session = Session(
        registry, results_folder(options["results"]), where_of(options), quiet or as_json
    )
    request = Request(
        methods=split_names(options["methods"]),
        tasks=split_names(options["tasks"]),
        track=options["track"],
        all=everything,
        preset=options["preset"],
        variants=split_names(variants),
        seeds=options["seeds"],
        device=session.device,
    )
    budget = None if options["budget"] is None else parse_budget(options["budget"])
    choice = Choice(
        only=parse_only(split_names(options["only"])), budget=budget, tune=options["tune"]
    )
    plan = None if suite is None else suite_plan(suite, request, registry)
    prepared = session.prepare(request, choice, dry_run, plan)
    if dry_run:
        if as_json:
            emit_json(document(prepared, session.limits))
        else:
            say(text(prepared, session.limits))
        return 0
    records, not_run = session.finish(prepared)
    if not as_json and not quiet and records:
        board = board_text(registry, records, {}, "md", options["results"], options["plugins"])
        click.echo(markdown(printable(board), columns()))
    _report(records, not_run, as_json)
    if any(record.status != "ok" for record in records):
        return 1
    return EnvironmentFault.exit_code if session.driver.not_run and all_named(request) else 0


def _report(records: list[Record], not_run: list[NotRun], as_json: bool) -> None:
    import msgspec

    if as_json:
        brief = [
            {
                name: value
                for name, value in msgspec.to_builtins(record).items()
                if name not in _LEFT_OUT
            }
            for record in records
        ]
        emit_json(
            {
                "schema_version": 1,
                "records": brief,
                "not_run": [msgspec.to_builtins(item) for item in not_run],
            }
        )
        return
    for said in not_run_lines(not_run, "runs"):
        warn(said)
