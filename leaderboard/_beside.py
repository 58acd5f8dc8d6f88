"""Boards of other suites that lie with a board: in folders of its own, or in the one around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ._page_links import Link
from ._text import one_line


class _Suite(msgspec.Struct, frozen=True):
    name: str


class _Board(msgspec.Struct, frozen=True):
    suite: _Suite


_decoder = msgspec.json.Decoder(_Board)


def beside(folder: Path, board: Mapping[str, Any]) -> list[Link]:
    """Return links to the pages of other suites' boards, from the first page of a board.

    Args:
        folder: where the board is written.
        board: the board.
    """
    places = {"..": folder.resolve().parent} | {
        path.parent.name: path.parent for path in sorted(folder.glob("*/leaderboard.json"))
    }
    found = []
    for address, place in places.items():
        if not (place / "index.html").is_file():
            continue
        try:
            name = _decoder.decode((place / "leaderboard.json").read_bytes()).suite.name
        except (OSError, msgspec.MsgspecError):
            continue  # no board, or none that is whole
        if name != board["suite"]["name"]:
            found.append(Link(f"Suite {one_line(name)}", f"{address}/index.html"))
    return found
