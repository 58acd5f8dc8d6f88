"""``bench why``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bench.cli._options import (
    echo,
    emit_json,
    json_option,
    open_registry,
    plugins_option,
    results_folder,
    results_option,
    warn,
)
from bench.errors import UsageError
from bench.params import render_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.runs.driver import Driver
    from bench.runs.keys import Keyed
    from bench.runs.plan import Cell
    from bench.runs.record import Record

_ABSENT = "its plugins are not here (name them with --plugins)"


@click.command("why")
@click.argument("cell")
@results_option
@plugins_option
@json_option
def command(cell: str, results: str | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """Say what CELL (the beginning of a cell's or a record's id) is, which records it has, and why
    a new run would or would not be needed.
    """
    from bench.runs.driver import Driver
    from bench.runs.renewed import in_words
    from bench.runs.replay import cell_of
    from bench.runs.store import Store

    registry = open_registry(plugins)
    store = Store(results_folder(results))
    records = sorted(
        (
            record
            for record in [*store.briefs(), *(brief for brief, _ in store.withdrawn.values())]
            if record.cell.startswith(cell) or record.id.startswith(cell)
        ),
        key=lambda record: (record.ended, record.attempt),
    )
    if not records:
        raise UsageError(
            f"no record in {str(store.root)!r} has a cell that begins with {cell!r}; 'bench "
            "leaderboard --json' lists the ids of records."
        )
    if len({record.cell for record in records}) > 1:
        raise UsageError(
            f"{cell!r} begins {len({record.cell for record in records})} cells; give more of it."
        )
    first = records[0]
    here, now = cell_of(first, registry), None
    if here is not None:
        rows, now = _held(Driver(registry, store), here, records)
    else:
        rows = [_row(record, [_ABSENT]) for record in records]
    for row in rows:
        if row["record"] in store.withdrawn:
            row["changes"].append(store.withdrawn[row["record"]][1])
            row["live"] = False
    if as_json:
        whole = now is not None and now.ingredients["data"] is not None
        emit_json(
            {
                "schema_version": 1,
                "cell": first.cell,
                "key_now": now.key if now and whole else None,
                "ingredients": now.ingredients if now else None,
                "records": rows,
            }
        )
        return
    echo(
        f"cell {first.cell}\n  {render_call(f'{first.track}/{first.method}', first.params)} on "
        f"{render_call(first.task, first.task_params)}"
    )
    echo(
        f"  preset {first.preset}, variant {first.variant}, seed {first.seed}, {first.device}, "
        f"{first.dtype}, {first.form}"
    )
    if now is None:
        echo(f"{_ABSENT}, so there is no key now")
    elif now.ingredients["data"] is None:
        echo("key now: that of the data that a run will load")
    else:
        echo(f"key now {now.key}")
    for record, row in zip(records, rows, strict=True):
        echo(
            f"record {row['record']}: {row['status']}, {row['ended']}, "
            f"{'live' if row['live'] else 'stale'}"
        )
        if origin := in_words(record):
            echo(f"  it was {origin}")
        for change in row["changes"]:
            echo(f"  since then: {change}")


def _held(
    driver: Driver, cell: Cell, records: Sequence[Record]
) -> tuple[list[dict[str, Any]], Keyed]:
    """Hold every record of a cell against today's code, environment and
    data; return rows, and the cell with its key of today.
    """
    from bench.runs.replay import changes

    driver.tell = warn
    driver.look((cell, call) for record in records for call in record.data or ())
    rows = []
    for record in records:
        data = driver.data_status.what_changed(cell, record.data or {})
        rows.append(_row(record, changes(record, driver.keys.of(cell, record.data), data)))
    newest = records[-1].data
    today = {call: driver.data_status.state(cell, call).fingerprint for call in newest or ()}
    return rows, driver.keys.of(cell, None if newest is None or not all(today.values()) else today)


def _row(record: Record, said: list[str]) -> dict[str, Any]:
    import msgspec

    return {
        "record": record.id,
        "status": record.status,
        "ended": record.ended,
        "key": record.key,
        "data": record.data,
        "live": not said,
        "renewed": msgspec.to_builtins(record.renewed),
        "changes": said,
    }
