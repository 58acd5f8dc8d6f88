"""Boards of earlier suites: what is kept of them beside the board that took their place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.files import put

from ._page_links import slug
from ._suite_names import age, series
from ._text import number, one_line, range_of

FOLDER = "superseded"


class _Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    method: str
    score: float | None = None
    low: float | None = None
    high: float | None = None
    place: int | None = None
    rank: int | None = None
    """What boards of schema version 1 called the place."""
    range: tuple[int, int] | None = None


class _Track(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    track: str
    title: str = ""
    rows: tuple[_Row, ...] = ()


class _Suite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    tier: str = "default"


class _Board(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    suite: _Suite
    tracks: tuple[_Track, ...] = ()


_decoder = msgspec.json.Decoder(_Board)


def superseded(folder: Path, board: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return suite -> what its page shows, the newest first, and what there is to say.

    What a folder holds of an older suite's board is kept in ``superseded`` in it, so that it stays
    readable when the new board takes its place.

    Args:
        folder: where the board is written.
        board: the new board.
    """
    mine, said = board["suite"]["name"], []
    found: dict[tuple[int, ...], _Board] = {}
    for path in [*sorted((folder / FOLDER).glob("*.json")), folder / "leaderboard.json"]:
        if not path.is_file():
            continue
        try:
            old = _decoder.decode(path.read_bytes())
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            said.append(f"{path} is no board and is not shown ({error}); remove it, or restore it.")
            continue
        when = age(old.suite.name)
        follows = series(old.suite.name) == series(mine) and when < age(mine)
        if follows and old.tracks and old.suite.tier == "default":
            found[when] = old
    for old in found.values():
        _keep(folder / FOLDER / f"{old.suite.name}.json", old)
    return {found[when].suite.name: _view(found[when]) for when in sorted(found)[::-1]}, said


def _keep(path: Path, board: _Board) -> None:
    path.parent.mkdir(exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(board), indent=1) + b"\n"
    if not path.is_file() or path.read_bytes() != data:
        put(path, data)


def _view(board: _Board) -> dict[str, Any]:
    return {
        "suite": one_line(board.suite.name),
        "tracks": [
            {
                "id": slug(track.track),
                "title": track.title or track.track,
                "rows": [
                    {
                        "method": row.method,
                        "score": number(row.score, 3),
                        "interval": "—"
                        if row.low is None
                        else f"[{number(row.low, 3)}, {number(row.high, 3)}]",
                        "place": str(row.place or row.rank or "—"),
                        "range": range_of({"range": row.range}),
                    }
                    for row in track.rows
                    if row.score is not None
                ],
            }
            for track in board.tracks
        ],
    }
