"""``bench results check``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli._options import emit_json, json_option, number, open_registry, plugins_option
from bench.errors import NothingSelected
from bench.texts import printable


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@plugins_option
@json_option
def command(files: tuple[str, ...], plugins: tuple[str, ...], as_json: bool) -> int:
    """Check exported records (.jsonl, .parquet, .json) before you submit them, and print one
    sentence for each fault.

    The command checks the record itself, its digests and its key. It checks that its task, method
    and parameters are known here, that its metrics are within their bounds, that it passes its
    gates, and that its row has all seeds. It writes nothing.

    The exit code is 1 if there is a fault.
    """
    import msgspec

    from bench.cli._board import stale_ids
    from bench.runs.submission import counted, examine

    registry = open_registry(plugins)
    found = examine(
        [Path(file) for file in files], registry, lambda records: stale_ids(registry, records)
    )
    if not found.records and not found.faults:
        raise NothingSelected(
            f"no record in {', '.join(map(repr, files))}; 'bench results export' writes some."
        )
    if as_json:
        emit_json(
            {
                "schema_version": 1,
                "ok": not found.faults,
                "records": found.records,
                "rows": found.rows,
                "faults": [msgspec.to_builtins(fault) for fault in found.faults],
            }
        )
    else:
        for fault in found.faults:
            click.echo(printable(fault.said))
        rules = ", ".join(f"{count} {rule}" for rule, count in counted(found.faults).items())
        click.echo(
            f"{number(found.records, 'record')} of {number(found.rows, 'row')}, "
            f"{number(len(found.faults), 'fault')}"
            f"{f' ({rules})' if rules else ''}."
        )
    return 1 if found.faults else 0
