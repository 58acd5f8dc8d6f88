"""``bench results``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click
import msgspec

from bench.cli._options import results_folder, results_option, split_names, warn
from bench.errors import EnvironmentFault, NothingSelected


@click.group("results")
def command() -> None:
    """Carry records from place to place."""


@command.command("export")
@click.argument("file")
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Only these tasks. Repeatable, comma lists.")
@results_option
def export(file: str, tasks: tuple[str, ...], results: str | None) -> None:
    """Write every record into FILE, one JSON document a line; any folder that holds such a file can be given as --results."""
    from bench.runs.store import Store

    store = Store(results_folder(results))
    wanted = split_names(tasks)
    records = sorted((record for record in store.read() if not wanted or record.task in wanted), key=lambda record: record.id)
    for damaged in store.damaged:
        warn(f"the record {damaged.path} is left out: {damaged.reason}.")
    if not records:
        raise NothingSelected(f"no record in {str(store.root)!r} fits; nothing was written.")
    target = Path(file)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".export-")
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(msgspec.json.encode(record) + b"\n" for record in records)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except OSError as error:
        raise EnvironmentFault(f"the records can't be written to {file!r} ({error.strerror}); name another file.") from None
    warn(f"wrote {len(records)} records to {file}.")
