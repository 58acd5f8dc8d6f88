"""The tables by variant as plain data for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._page_links import slug
from ._page_parts import Cell, Column, column, short
from ._ranks import EQUAL
from ._render_tables import ARROWS, decimals, interval
from ._text import class_cells, flops, number, range_of, seconds, test_set_text, visits

Row = Mapping[str, Any]


COLUMNS: tuple[Column, ...] = (
    column("mean", ""),
    column("place", "#"),
    column("range", "Range"),
    column("seeds", "Seeds"),
    column("gain", "vs baseline"),
    column("seconds", "Solve s"),
    column("flops", "GFLOP"),
    column("visits", "Visits"),
    column("remarks", "Remarks", numeric=False),
)
"""The columns of a table by variant after the method; the first is headed by the metric."""


def table_rows(table: Row) -> dict[str, Any]:
    """Return a table of one variant, in the metric's unit."""
    rows, unit = table["rows"], table["primary"]["unit"]
    several = bool(class_cells(rows))
    digits = decimals((row["mean"] for row in rows), unit)

    better = {"max": "higher is better", "min": "lower is better"}.get(
        table["primary"]["direction"], ""
    )
    facts = [
        table["preset"],
        table["device"],
        table["primary"]["name"],
        unit,
        better,
        test_set_text(table["test_set"]),
    ]
    named = [table[part] for part in ("task", "preset", "variant", "device")]
    return {
        "id": f"table-{slug('-'.join(named))}",
        "title": f"{table['task']} · {table['variant']}",
        "about": " · ".join(filter(None, facts)),
        "metric": (table["primary"]["name"] or "value")
        + ARROWS.get(table["primary"]["direction"], ""),
        "rows": [
            {
                "method": row["method"],
                "bold": row["leading"],
                "cells": _cells(row, digits, table["device"]),
                "remarks": _remarks(row, several),
            }
            for row in rows
        ],
        "notes": table["notes"],
    }


def _cells(row: Row, digits: int, device: str) -> list[Cell]:
    visited = (
        None
        if row["cost"]["forward"] is None
        else row["cost"]["forward"] + (row["cost"]["backward"] or 0)
    )
    difference = row["vs_low"]
    return [
        Cell(number(row["mean"], digits), more=interval(row, digits)),
        Cell(str(row["place"] or "—")),
        Cell(range_of(row)),
        Cell(str(row["n"])),
        Cell(number(difference["mean"], digits, "+") if difference else "—"),
        Cell(number(seconds(row["cost"], device), 2)),
        Cell(flops(row["cost"]), row["cost"]["flops"]),
        Cell(visits(row["cost"], visited, short(visited)), visited),
    ]


def _remarks(row: Row, several: bool) -> str:
    """Say what is special about a row; ``several``: the rows are of more than one class."""
    failed = ", ".join(
        f"{count} {status}" for status, count in row["statuses"].items() if status != "ok"
    )
    marks = [
        "plain baseline" if row["plain"] else "",
        failed,
        "sees the hidden part" if row["peeks"] else "",
        "stale" if row["stale"] else "",
        "provisional" if row["provisional"] else "",
    ]
    marks.append(row["why"] if row["why"].startswith(EQUAL) else "")
    marks.append(f"needs {', '.join(row['needs'])}" if row["needs"] else "")
    marks.append(row["defaults"] if row["defaults"].startswith("tuned") else "")
    marks.append(f"on {row['class']}" if several and row["class"] else "")
    return "; ".join(mark for mark in marks if mark)
