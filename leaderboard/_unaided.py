"""A second ranking beside that of all: methods that need nothing but the problem, by themselves.

A method that is told the groups of rows and one that is not answer different questions, so a board
says of the latter where they stand among their own kind too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import listed

from ._text import Column, escape

Row = Mapping[str, Any]


def rank_unaided(rows: Sequence[dict[str, Any]]) -> None:
    """Give rows with a place and without needs their place among themselves (``place_unaided``);
    where no row with a place has needs, that would be the place itself, and none gets one.
    """
    placed = [row for row in rows if row["place"]]
    alone = [row for row in placed if not row["needs"]]
    if len(alone) < len(placed):
        for row in alone:
            row["place_unaided"] = 1 + sum(other["place"] < row["place"] for other in alone)


def unaided_cells(rows: Sequence[Row]) -> list[str]:
    """Return the place of each row among those without needs; nothing where no row has one."""
    cells = [str(row.get("place_unaided") or "—") for row in rows]
    return cells if any(cell != "—" for cell in cells) else []


def unaided_columns(rows: Sequence[Row]) -> list[Column]:
    """Return the column of places without †, and the one of needs, escaped; none without both
    kinds of rows.
    """
    cells = unaided_cells(rows)
    needs = [escape(", ".join(row["needs"]) or "—") for row in rows]
    return [("# without †", "right", cells), ("needs", "left", needs)] if cells else []


def unaided_lines(track: Row) -> list[str]:
    """Say who is first among the rows without needs, where there are others."""
    firsts = [row["method"] for row in track["rows"] if row.get("place_unaided") == 1]
    if not firsts:
        return []
    verb = "is" if len(firsts) == 1 else "share"
    return [f"Among methods that need nothing but the problem, {listed(firsts)} {verb} first."]
