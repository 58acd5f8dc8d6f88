"""Boards and comparisons: asked of the plugin that implements them, and written out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli._options import warn
from bench.errors import EnvironmentFault, PluginError, UsageError
from bench.texts import shell_word

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Sequence

    from bench.plugins.registry import Registry
    from bench.runs.record import Record
    from bench.runs.store import Store


def leaderboard_rooms(plugins: Iterable[str]) -> list[Path]:
    """Return the folders ``leaderboard`` of plugins that are folders, where suites and tables of
    published figures may lie.
    """
    rooms = [Path(path, "leaderboard") for path in plugins]
    return [room for room in rooms if room.is_dir()]


def make_board(
    registry: Registry, records: Sequence[Record], options: dict[str, Any]
) -> dict[str, Any]:
    """Return the board of ``records`` as plain data."""
    options = {
        "cards": method_cards(registry),
        "tracks": registry.track_cards({record.track for record in records}),
        **options,
    }
    board = registry.manager.hook.bench_board(
        records=records, tasks=registry.cards(), options=options
    )
    if board is None:
        raise PluginError(
            "no plugin makes boards; the built-in one is missing from this installation. Install "
            "datacentric-bench again."
        )
    found: dict[str, Any] = board
    return found


def method_cards(registry: Registry) -> dict[str, Any]:
    """Return every method's card by identity."""
    return {entry.identity: entry.card for entry in registry.rows("method")}


def method_files(registry: Registry) -> dict[str, str]:
    """Return the file of every built-in method by identity, as the repository has it."""
    room = "bench.builtin."
    return {
        entry.identity: f"{entry.target.module.removeprefix(room).replace('.', '/')}.py"
        for entry in registry.rows("method")
        if entry.source == "builtin" and entry.target.module.startswith(room)
    }


def publish(
    registry: Registry,
    board: dict[str, Any],
    records: Sequence[Record],
    store: Store,
    folder: Path,
    options: dict[str, Any],
) -> list[str]:
    """Write the files of a board into a folder and return what there is to say."""

    def load(ids: Container[str]) -> Iterator[Record]:
        return store.stream(lambda brief: brief.id in ids)

    def picture(record: Record, name: str) -> bytes | None:
        try:
            return (store.root / "files" / record.id / Path(record.images[name]).name).read_bytes()
        except OSError:
            return None  # an export carries records without their pictures

    tracks = registry.track_cards({record.track for record in records})
    asked = {
        "tasks": registry.cards(),
        "cards": method_cards(registry),
        "tracks": tracks,
        "datasets": {entry.identity: entry.card for entry in registry.rows("dataset")},
        "sources": method_files(registry),
        "load": load,
        "picture": picture,
        **options,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        said = registry.manager.hook.bench_publish(
            board=board, records=records, folder=folder, options=asked
        )
    except OSError as error:
        raise EnvironmentFault(
            f"the board can't be written to {str(folder)!r} ({error.strerror}); name another "
            "folder with --out."
        ) from None
    if said is None:
        raise PluginError(
            "no plugin writes the files of a board; the built-in one is missing from this "
            "installation. Install datacentric-bench again."
        )
    return list(said)


def freeze(registry: Registry, records: Sequence[Record], options: dict[str, Any]) -> list[str]:
    """Freeze the anchors of a suite and return what there is to say."""
    said = registry.manager.hook.bench_freeze(
        records=records,
        tasks=registry.cards(),
        options={"cards": method_cards(registry), **options},
    )
    if said is None:
        raise PluginError(
            "no plugin freezes anchors; the built-in one is missing from this installation. "
            "Install datacentric-bench again."
        )
    return list(said)


def render(registry: Registry, board: dict[str, Any], style: str) -> str:
    """Write a board or a comparison in a format."""
    text = registry.manager.hook.bench_render(board=board, format=style)
    if text is None:
        raise UsageError(f"no plugin writes the format {style!r}; give md, json, csv or latex.")
    return str(text).rstrip("\n")


def with_folders(
    board: dict[str, Any], results: str | None, plugins: Iterable[str]
) -> dict[str, Any]:
    """Return a board or a comparison whose commands fill the folder of results that was read, with
    the plugins that were given.
    """
    given = [("--results", results), *(("--plugins", path) for path in plugins)]
    words = "".join(f" {name} {shell_word(value)}" for name, value in given if value)

    def told(part: dict[str, Any]) -> dict[str, Any]:
        notes = [
            note.replace(" && bench run ", f"{words} && bench run ") + words
            if "run: bench run " in note
            else note
            for note in part["notes"]
        ]
        return {**part, "notes": notes}

    parts: dict[str, Any] = {
        name: [told(part) for part in board[name]] for name in ("tracks", "tables") if name in board
    }
    return {**told(board), **parts}


def board_text(
    registry: Registry,
    records: Sequence[Record],
    options: dict[str, Any],
    style: str,
    results: str | None = None,
    plugins: Iterable[str] = (),
) -> str:
    """Return what a run shows of its ``records``: their tables, written out, and the boards of the
    tracks that they are all of; how much of a suite is lacking is no news there. Its commands fill
    the folder of results and load the plugins that were given.
    """
    board = make_board(registry, records, {"every_series": True, **options})
    if style == "md":
        board["tracks"] = [
            track
            for track in board.get("tracks", [])
            if any(row.get("place") for row in track["rows"])
        ]
    return render(registry, with_folders(board, results, plugins), style)


def stale_ids(registry: Registry, records: Sequence[Record]) -> set[str]:
    """Return the ids of records whose code, libraries or data are no longer those on this machine,
    whichever class of machine ran them; of unknown plugins, none.

    What a key is made of is found once a group; a record then costs one hash. No data is loaded:
    where only a load can tell, that is said on stderr.
    """
    from bench.runs.data_status import DataStatus
    from bench.runs.keys import Keys
    from bench.runs.machine_classes import class_of, environment_of
    from bench.runs.replay import cell_of, with_seed

    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(record)
    stale, unknown = set[str](), set[str]()
    data_status = DataStatus(Keys(registry))
    sources = {id(record.provenance): record.provenance for record in records}
    classes = {name: class_of(source) for name, source in sources.items()}
    keys = {
        classes[name]: Keys(registry, environment_of(source)) for name, source in sources.items()
    }
    for members in groups.values():
        like = cell_of(members[0], registry)
        for record in members if like is not None else ():
            assert like is not None
            if keys[classes[id(record.provenance)]].key(
                like, record.cell, record.data
            ) != record.key or _edited(record):
                stale.add(record.id)
                continue
            cell = with_seed(like, record.seed)
            status = data_status.status(cell, record.data)
            if status == "other":
                stale.add(record.id)
            elif status == "unknown":
                unknown |= {
                    call
                    for call in record.data or ()
                    if not data_status.state(cell, call).fingerprint
                }
    if unknown:
        warn(not_looked_at(unknown))
    return stale


def not_looked_at(unknown: Collection[str]) -> str:
    """Say of which data nobody knows whether it is still what records were made of."""
    names = sorted(unknown)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"data not looked at: {', '.join(names[:3])}{more}; it was touched, or nobody loaded "
        "it here yet. 'bench run' looks before it counts a record."
    )


def _edited(record: Record) -> bool:
    """Say whether a record's cell is no longer the digest of its fields."""
    from bench.runs.record import Brief
    from bench.runs.replay import spec_of

    return record.edited if isinstance(record, Brief) else record.cell != spec_of(record).cell
