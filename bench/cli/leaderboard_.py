"""``bench leaderboard``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli._board import (
    freeze,
    leaderboard_rooms,
    make_board,
    publish,
    render,
    stale_ids,
    with_folders,
)
from bench.cli._board_choices import chosen_methods, chosen_tasks
from bench.cli._layout import columns, markdown, wide_option
from bench.cli._options import (
    json_option,
    names_option,
    open_registry,
    plugins_option,
    refuse_empty,
    results_folder,
    results_option,
    tracks_completer,
    warn,
)
from bench.cli._stdout import printing_back
from bench.errors import NothingSelected, UsageError
from bench.texts import printable

if TYPE_CHECKING:
    from bench.plugins.registry import Registry
    from bench.runs.record import Brief
    from bench.runs.store import Store

_FORMATS = ("md", "json", "csv", "latex")


@click.command("leaderboard")
@names_option("method", help="Only these methods. Repeatable, comma lists.")
@names_option("task", help="Only these tasks. Repeatable, comma lists, globs.")
@click.option("--track", shell_complete=tracks_completer, help="Only this track.")
@click.option("--preset", help="Only this preset.")
@click.option(
    "--suite",
    metavar="NAME",
    help="Suite whose tracks are scored: a name, a series like real for its newest suite, or a "
    ".toml file.  [default: the newest yearly suite]",
)
@click.option(
    "--tier",
    metavar="NAME",
    help="Tier of the suite: how many seeds are compared.  [default: default; all seeds if "
    "methods, tasks or a preset are chosen]",
)
@click.option(
    "--tuned",
    is_flag=True,
    help="The board at an equal tuning budget, with the parameters that --tune chose, for the "
    "tracks that have one in the suite.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(_FORMATS),
    default="md",
    show_default=True,
    help="What to print; latex prints the boards of the tracks.",
)
@click.option(
    "--out",
    metavar="DIR",
    help="Write the page, Markdown, JSON, CSV, LaTeX and Parquet into this folder instead of "
    "printing.",
)
@click.option(
    "--page/--no-page",
    default=True,
    show_default=True,
    help="With --out: write the page too; it needs the extra 'page'.",
)
@click.option(
    "--history",
    metavar="FILE",
    help="Add this whole board to a history.parquet, which is created if it is missing; the page "
    "then shows all its nights.",
)
@click.option(
    "--serve",
    is_flag=True,
    help="Show the page in a browser: serve it on this machine until Ctrl-C.",
)
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="With --serve: the port; 0: any free one.",
)
@click.option(
    "--freeze",
    "freezing",
    is_flag=True,
    help="Freeze the suite's anchors instead of printing, for each tier for which the records "
    "have all seeds.",
)
@click.option(
    "--stale/--no-stale",
    default=True,
    show_default=True,
    help="Mark records whose code or libraries are not those on this machine.",
)
@wide_option
@results_option
@plugins_option
@json_option
def command(
    methods: tuple[str, ...],
    tasks: tuple[str, ...],
    track: str | None,
    preset: str | None,
    suite: str | None,
    tier: str | None,
    tuned: bool,
    style: str,
    out: str | None,
    page: bool,
    history: str | None,
    serve: bool,
    port: int,
    freezing: bool,
    stale: bool,
    results: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Turn records into a board: every track's scores, and mean, interval,
    seeds and cost of every method on every variant.
    """
    from bench.runs.proofs import withdrawn_said
    from bench.runs.record_reader import collector_paused
    from bench.runs.store import Store

    refuse_empty(
        {
            "--method": methods,
            "--task": tasks,
            "--track": track,
            "--preset": preset,
            "--suite": suite,
            "--tier": tier,
            "--out": out,
            "--history": history,
        }
    )
    if history is not None and out is None and not serve:
        raise UsageError("--history is for a page; add --out DIR or --serve.")
    parts = {"--method": methods, "--task": tasks, "--track": track, "--preset": preset}
    if history is not None and (partial := [name for name, given in parts.items() if given]):
        raise UsageError(
            "--history keeps nights of the whole board, and a part would take the place of one; "
            f"leave {', '.join(partial)} out."
        )
    if tuned and (history is not None or freezing):
        raise UsageError(
            f"--tuned does not go with {'--freeze' if freezing else '--history'}, which is of the "
            "board of defaults; leave one out."
        )
    chosen = parts | {"--tier": tier, "--out": out, "--serve": serve}
    if freezing and (idle := [name for name, given in chosen.items() if given]):
        raise UsageError(
            "--freeze freezes every tier of the whole suite and prints no board; leave "
            f"{', '.join(idle)} out."
        )
    click.get_current_context().with_resource(collector_paused())
    registry = open_registry(plugins)
    folder = results_folder(results)
    if not folder.is_dir():
        raise UsageError(
            f"no results folder at {str(folder)!r}; run something first, e.g. 'bench run --track "
            "noisy-labels --preset smoke', or name the folder with --results."
        )
    store = Store(folder)
    records = store.briefs()
    for damaged in store.damaged:
        warn(f"the record {damaged.path} is not used: {damaged.reason}.")
    for sentence in withdrawn_said(store.withdrawn):
        warn(sentence)
    options: dict[str, Any] = {
        "track": track,
        "preset": preset,
        "methods": chosen_methods(registry, records, methods, track, folder),
        "tasks": chosen_tasks(registry, records, tasks, track),
        "suite": suite,
        "tier": tier,
        "tuned": tuned,
        "suite_folders": leaderboard_rooms(plugins),
        "stale": stale_ids(registry, records) if stale else set(),
    }
    if tier is None and not (methods or tasks or preset):
        options["tier"] = "default"  # a part of a suite is of no tier: its tables hold every seed
    options = {name: value for name, value in options.items() if value}
    if freezing:
        for said in freeze(registry, records, options):
            warn(said)
        return
    board = store.ask(
        lambda index: make_board(registry, records, {**options, "memo": index.memo}), refresh=False
    )
    if not records:
        kind = "no record that can be read" if store.damaged else "no record"
        raise NothingSelected(
            f"{kind} is in {str(folder)!r}; run something first, e.g. 'bench run --track "
            "noisy-labels --preset smoke', or name another folder with --results."
        )
    if not board.get("tables"):
        raise NothingSelected(
            (
                f"no record in {str(folder)!r} fits; it holds {len(records)} "
                f"record{'s' * (len(records) != 1)}. {' '.join(board.get('notes', []))}"
            ).rstrip()
        )
    if out is None and not serve:
        board = with_folders(board, results, plugins)
        text = render(registry, board, "json" if as_json else style)
        with printing_back():
            click.echo(text if as_json or style != "md" else markdown(printable(text), columns()))
        return
    _publish(
        registry,
        board,
        records,
        store,
        out,
        {
            "page": page,
            "history": Path(history) if history else None,
            "stale": options.get("stale"),
        },
        serve,
        port,
    )


def _publish(
    registry: Registry,
    board: dict[str, Any],
    records: list[Brief],
    store: Store,
    out: str | None,
    options: dict[str, Any],
    serve: bool,
    port: int,
) -> None:
    """Write the board's files, and serve them if asked."""
    with tempfile.TemporaryDirectory(prefix="bench-board-") as temporary:
        folder = Path(out) if out is not None else Path(temporary)
        for said in publish(
            registry,
            board,
            records,
            store,
            folder,
            {**options, "page": options["page"] or serve, "required": serve},
        ):
            warn(said)
        if serve:
            from bench.cli._serve import serve_folder

            serve_folder(folder, port)
