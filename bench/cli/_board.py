"""Boards and comparisons: asked of the plugin that implements them, and written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.errors import PluginError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.plugins.registry import Registry
    from bench.runs.record import Record


def make_board(registry: Registry, records: Sequence[Record], options: dict[str, Any]) -> dict[str, Any]:
    """Return the board of ``records`` as plain data."""
    board = registry.manager.hook.bench_board(records=records, tasks=registry.cards(), options=options)
    if board is None:
        raise PluginError("no plugin makes boards; the built-in one is missing from this installation. Install datacentric-bench again.")
    found: dict[str, Any] = board
    return found


def render(registry: Registry, board: dict[str, Any], style: str) -> str:
    """Write a board or a comparison in a format."""
    text = registry.manager.hook.bench_render(board=board, format=style)
    if text is None:
        raise UsageError(f"no plugin writes the format {style!r}; give md, json or csv.")
    return str(text).rstrip("\n")


def board_text(registry: Registry, records: Sequence[Record], options: dict[str, Any], style: str) -> str:
    """Return the board of ``records``, written out."""
    return render(registry, make_board(registry, records, options), style)


def stale_ids(registry: Registry, records: Sequence[Record]) -> set[str]:
    """Return the ids of records whose code or environment is no longer the one on this machine; of unknown plugins, none.

    What a key is made of is found once a group; a record then costs one hash.
    """
    from bench.runs.drive import Keys
    from bench.runs.replay import cell_of

    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(record)
    keys, stale = Keys(registry), set()
    for members in groups.values():
        like = cell_of(members[0], registry)
        if like is not None:
            now = keys.of_cells(like, (record.cell for record in members))
            stale |= {record.id for record in members if now[record.cell] != record.key or _edited(record)}
    return stale


def _edited(record: Record) -> bool:
    """Say whether a record's cell is no longer the digest of its fields."""
    from bench.runs.record import Brief
    from bench.runs.replay import spec_of

    return record.edited if isinstance(record, Brief) else record.cell != spec_of(record).cell
