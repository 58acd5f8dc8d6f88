"""``bench reproduce``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from bench.cli._options import (
    echo,
    emit_json,
    json_option,
    open_registry,
    plugins_option,
    results_folder,
    results_option,
)
from bench.cli._session import Session
from bench.cli._where import Where
from bench.errors import EnvironmentFault


@click.command("reproduce")
@click.argument("record")
@click.option(
    "--executor",
    default="local",
    show_default=True,
    help="local, inline, or another machine as for bench run.",
)
@results_option
@plugins_option
@json_option
def command(
    record: str, executor: str, results: str | None, plugins: tuple[str, ...], as_json: bool
) -> int:
    """Rerun RECORD (an id, the beginning of one, or a file), and say whether its figures are equal
    bit for bit.
    """
    from bench.runs.renewed import in_words
    from bench.runs.replay import cell_of, changes, data_differs, differing
    from bench.runs.store import Store

    registry = open_registry(plugins)
    old = Store(results_folder(results)).find(record)
    cell = cell_of(old, registry)
    if cell is None:
        raise EnvironmentFault(
            f"the record {old.id} was made by {old.track}/{old.method} on {old.identity}, and one "
            "of them is not here; give its plugin with --plugins."
        )
    with tempfile.TemporaryDirectory(prefix="bench-reproduce-") as folder:
        session = Session(
            registry, Path(folder), Where(executor=executor, device=old.device, jobs=1), quiet=True
        )
        session.store.open_for_writing()
        keyed = session.keys.of(cell)
        said = changes(old, session.keys.of(cell, old.data))
        found = next(
            iter(session.driver.run([keyed], session.executor([keyed]), 1, lambda *_: None))
        )[1]
    if found is None:
        raise EnvironmentFault(
            f"the record {old.id} can't be run here: {session.driver.not_run[0].reason}"
        )
    if old.data is not None:
        said += data_differs(old.data, found.data or {})
    rows = differing(old, found, registry.cards().get(old.identity))
    same = found.status == old.status and not rows
    if as_json:
        import msgspec

        emit_json(
            {
                "schema_version": 1,
                "record": old.id,
                "renewed": msgspec.to_builtins(old.renewed),
                "same": same,
                "same_key": not said,
                "changes": said,
                "status": found.status,
                "differences": {
                    name: {"recorded": pair[0], "now": pair[1]} for name, pair in rows.items()
                },
            }
        )
    else:
        _print(old.id, same, said, rows, found)
        if origin := in_words(old):
            echo(f"  it was {origin}.")
    return 0 if same else 1


def _print(name: str, same: bool, said: list[str], rows: dict[str, Any], found: Any) -> None:
    echo(
        f"{name}: "
        f"{'the same, bit for bit' if same else 'not the same'}{' (same key)' if not said else ''}."
    )
    for change in said:
        echo(f"  since then: {change}")
    for metric, (before, now) in rows.items():
        echo(f"  {metric}: recorded {before}, now {now}")
    if found.error is not None:
        echo(f"  now {found.status}: {found.error.type}: {found.error.message}")
