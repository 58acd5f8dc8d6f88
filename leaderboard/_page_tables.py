"""The tables by variant as plain data for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._page_parts import short
from ._ranks import EQUAL
from ._render_tables import ARROWS, decimals, interval
from ._text import class_cells, flops, number, range_of, seconds, test_set_text, visits

Row = Mapping[str, Any]


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
    return {
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


def _cells(row: Row, digits: int, device: str) -> list[tuple[str, float | None]]:
    """Return the text of each cell, and the number that it is sorted by."""
    visited = (
        None
        if row["cost"]["forward"] is None
        else row["cost"]["forward"] + (row["cost"]["backward"] or 0)
    )
    difference = row["vs_low"]
    return [
        (str(row["place"] or "—"), row["place"] or 999),
        (range_of(row), row["range"][0] if row["range"] else 999),
        (number(row["mean"], digits), row["mean"]),
        (interval(row, digits), row["low"]),
        (str(row["n"]), None),
        (
            number(difference["mean"], digits, "+") if difference else "—",
            difference["mean"] if difference else None,
        ),
        (
            number(seconds(row["cost"], device), 2),
            seconds(row["cost"], device),
        ),
        (flops(row["cost"]), row["cost"]["flops"]),
        (visits(row["cost"], visited, short(visited)), visited),
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
    marks.append(
        f"defaults from {row['defaults']}"
        if row["defaults"].startswith(("paper", "here"))
        else row["defaults"]
        if row["defaults"].startswith("tuned")
        else ""
    )
    marks.append(f"on {row['class']}" if several and row["class"] else "")
    return "; ".join(mark for mark in marks if mark)
