"""``bench why``."""

from __future__ import annotations

from typing import Any

import click

from bench.cli._options import emit_json, json_option, open_registry, plugins_option, results_folder, results_option
from bench.errors import UsageError
from bench.params import render_call


@click.command("why")
@click.argument("cell")
@results_option
@plugins_option
@json_option
def command(cell: str, results: str | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """Say what CELL (the beginning of a cell's or a record's id) is, which records it has, and why a new run would or would not be needed."""
    from bench.runs.drive import Keys
    from bench.runs.replay import cell_of, changes
    from bench.runs.store import Store

    registry = open_registry(plugins)
    store = Store(results_folder(results))
    records = sorted(
        (record for record in store.briefs() if record.cell.startswith(cell) or record.id.startswith(cell)), key=lambda record: (record.ended, record.attempt)
    )
    if not records:
        raise UsageError(f"no record in {str(store.root)!r} has a cell that begins with {cell!r}; 'bench leaderboard --json' lists the ids of records.")
    if len({record.cell for record in records}) > 1:
        raise UsageError(f"{cell!r} begins {len({record.cell for record in records})} cells; give more of it.")
    first = records[0]
    here = cell_of(first, registry)
    now = Keys(registry).of(here) if here else None
    rows: list[dict[str, Any]] = [
        {
            "record": record.id,
            "status": record.status,
            "ended": record.ended,
            "key": record.key,
            "live": bool(now and now.key == record.key),
            "changes": changes(record, now) if now else ["its plugins are not here"],
        }
        for record in records
    ]
    if as_json:
        emit_json(
            {"schema_version": 1, "cell": first.cell, "key_now": now.key if now else None, "ingredients": now.ingredients if now else None, "records": rows}
        )
        return
    click.echo(f"cell {first.cell}\n  {render_call(f'{first.track}/{first.method}', first.params)} on {render_call(first.task, first.task_params)}")
    click.echo(f"  preset {first.preset}, variant {first.variant}, seed {first.seed}, {first.device}, {first.dtype}, {first.form}")
    click.echo(f"key now {now.key}" if now else "its plugins are not here, so there is no key now")
    for row in rows:
        click.echo(f"record {row['record']}: {row['status']}, {row['ended']}, {'live' if row['live'] else 'stale'}")
        for change in row["changes"]:
            click.echo(f"  since then: {change}")
