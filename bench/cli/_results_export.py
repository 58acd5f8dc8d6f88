"""``bench results export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli._options import number, open_results, results_option, split_names, warn
from bench.errors import NothingSelected, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.runs.record import Record
    from bench.runs.store import Store

ENDS = ("ok", "failed", "crashed", "timeout", "oom", "invalid", "interrupted")
"""How a run can end; as in ``bench.runs.record.Status``, whose import would be slow here."""


@click.command("export")
@click.argument("file")
@click.option(
    "--format",
    "form",
    type=click.Choice(("jsonl", "parquet", "csv")),
    help="The format.  [default: what FILE ends in]",
)
@click.option(
    "--by-task",
    is_flag=True,
    help="FILE is a folder: write one sorted file for each track and task into it, "
    "TRACK.TASK.jsonl, and remove the files of tasks without records.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME",
    help="Only these tasks. Repeatable, comma lists.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="Only these methods. Repeatable, comma lists.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(ENDS),
    help="Only records of runs with this status. Repeatable.",
)
@results_option
def command(
    file: str,
    form: str | None,
    by_task: bool,
    tasks: tuple[str, ...],
    methods: tuple[str, ...],
    statuses: tuple[str, ...],
    results: str | None,
) -> None:
    """Write every record into FILE: .jsonl, with one JSON document on each line; .parquet, with a
    row for each record, for pandas or DuckDB; or .csv.

    A .csv is for spreadsheets: it has figures, costs and parameters, but not the whole record, and
    can't be imported. A folder with a .jsonl export can be given as --results. An export has no
    arrays and pictures; 'merge' copies them.
    """
    from bench.runs.exports import export as write

    if by_task and form not in (None, "jsonl"):
        raise UsageError(f"--by-task writes .jsonl files and not {form}; leave --format out.")
    if by_task and (methods or statuses):
        option = "--method" if methods else "--status"
        raise UsageError(f"--by-task writes every record of a task; leave {option} out.")
    store, wanted, only = open_results(results), split_names(tasks), split_names(methods)

    def chosen(record: Record) -> bool:
        return (
            (not wanted or record.task in wanted)
            and (not only or record.method in only)
            and (not statuses or record.status in statuses)
        )

    count = (
        _export_by_task(store, Path(file), chosen)
        if by_task
        else write(store, Path(file), chosen, form or "")
    )
    for damaged in store.damaged:
        warn(f"the record {damaged.path} is left out: {damaged.reason}.")
    if not count:
        raise NothingSelected(f"no record in {str(store.root)!r} fits; nothing was written.")
    warn(f"wrote {number(count, 'record')} to {file}.")


def _export_by_task(store: Store, folder: Path, chosen: Callable[[Record], bool]) -> int:
    """Write a file a track and task, and say which further files were removed or found."""
    from bench.runs.export_folder import export_by_task

    done = export_by_task(store, folder, chosen)
    for name in done.removed:
        warn(f"removed {folder / name}: there is no record of its track and task any more.")
    for name in done.others:
        warn(
            f"{folder / name} is no file of one track and task; it was left alone, and its records "
            "count with the others."
        )
    return done.records
