"""``bench check``."""

from __future__ import annotations

import click
import msgspec

from bench.cli._layout import columns, markdown, wide_option
from bench.cli._options import (
    completer,
    emit_json,
    json_option,
    plugins_option,
    split_names,
    warn,
)
from bench.cli._stdout import printing_aside
from bench.texts import printable

_HELP = """Check that plugins keep the contracts, by running them.

NAME is a method, task or dataset, track/name, a glob, or the path of a plugin: then all that it
registers.

\b
bench check my_method.py
bench check elr
bench check 'noisy-labels/*' --quick
"""


@click.command("check", help=_HELP)
@click.argument("name", shell_complete=completer("method", "task", "dataset"))
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME",
    shell_complete=completer("task"),
    help="Run methods on these tasks alone: names, comma lists, globs. Repeatable.",
)
@click.option("--quick", is_flag=True, help="One variant of one task, in this process alone.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto (the GPU if there is one), cpu or cuda.",
)
@plugins_option
@wide_option
@json_option
def command(
    name: str,
    tasks: tuple[str, ...],
    quick: bool,
    device: str,
    plugins: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run the conformance suite and report; exit code 1 if anything failed."""
    import sys

    from bench.conformance import check
    from bench.runs.cache import ready_cache

    if said := ready_cache():
        warn(said)

    def say(text: str) -> None:
        if not as_json and sys.stderr.isatty():
            warn(text)

    with printing_aside():  # a method that prints would bury the report
        reports = check(
            name, tasks=split_names(tasks), plugins=plugins, device=device, quick=quick, say=say
        )
    if as_json:
        found = [msgspec.to_builtins(report) | {"ok": report.ok} for report in reports]
        emit_json(
            {"schema_version": 1, "ok": all(report.ok for report in reports), "reports": found}
        )
    else:
        text = "\n\n".join(report.markdown() for report in reports)
        click.echo(markdown(printable(text), columns()))
        failing = [report.name for report in reports if not report.ok]
        if len(reports) > 1:  # the reports of many plugins fill more than a screen
            ended = f"these {len(failing)} fail: {', '.join(failing)}." if failing else "all pass."
            warn(f"of {len(reports)} plugins, {ended}")
    return 0 if all(report.ok for report in reports) else 1
