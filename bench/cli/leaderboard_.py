"""``bench leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.cli._board import make_board, render, stale_ids
from bench.cli._options import json_option, names_option, open_registry, plugins_option, results_folder, results_option, split_names, tracks_completer, warn
from bench.errors import EnvironmentFault, NothingSelected, UsageError

_FORMATS = ("md", "json", "csv")


@click.command("leaderboard")
@names_option("method", help="Only these methods. Repeatable, comma lists.")
@names_option("task", help="Only these tasks. Repeatable, comma lists, globs.")
@click.option("--track", shell_complete=tracks_completer, help="Only this track.")
@click.option("--preset", help="Only this preset.")
@click.option("--format", "style", type=click.Choice(_FORMATS), default="md", show_default=True, help="What to print.")
@click.option("--out", metavar="DIR", help="Write leaderboard.md, .json and .csv into this folder instead of printing.")
@click.option("--stale/--no-stale", default=True, show_default=True, help="Mark records whose code or environment is not the one on this machine.")
@results_option
@plugins_option
@json_option
def command(
    methods: tuple[str, ...],
    tasks: tuple[str, ...],
    track: str | None,
    preset: str | None,
    style: str,
    out: str | None,
    stale: bool,
    results: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Turn records into a board: mean, interval, seeds and cost of every method on every variant."""
    from bench.runs.store import Store, collector_paused

    click.get_current_context().with_resource(collector_paused())
    registry = open_registry(plugins)
    folder = results_folder(results)
    if not folder.is_dir():
        raise UsageError(
            f"no results folder at {str(folder)!r}; run something first, e.g. 'bench run --track noisy-labels --preset smoke', or name the folder with --results."
        )
    store = Store(folder)
    records = store.briefs()
    for damaged in store.damaged:
        warn(f"the record {damaged.path} is not used: {damaged.reason}.")
    options: dict[str, Any] = {
        "track": track,
        "preset": preset,
        "methods": list(split_names(methods)),
        "stale": stale_ids(registry, records) if stale else set(),
    }
    recorded = {record.identity for record in records}
    options["tasks"] = [
        identity
        for name in split_names(tasks)
        for identity in ([name] if name in recorded else [entry.identity for entry in registry.select("task", name, track, "--task")])
    ]
    options = {name: value for name, value in options.items() if value}
    board = store.ask(lambda index: make_board(registry, records, {**options, "memo": index.memo}), refresh=False)
    if not board.get("tables"):
        raise NothingSelected(
            f"no record in {str(folder)!r} fits; it holds {len(records)} record{'s' * (len(records) != 1)}. {' '.join(board.get('notes', []))}".rstrip()
        )
    if out is None:
        click.echo(render(registry, board, "json" if as_json else style))
        return
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        for name in _FORMATS:
            (Path(out) / f"leaderboard.{name}").write_text(render(registry, board, name) + "\n")
    except OSError as error:
        raise EnvironmentFault(f"the board can't be written to {out!r} ({error.strerror}); name another folder with --out.") from None
    warn(f"wrote leaderboard.md, leaderboard.json and leaderboard.csv to {out}.")
