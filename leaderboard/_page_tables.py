"""The tables by variant as plain data for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._page_links import slug
from ._page_parts import Cell, Column, column, short
from ._page_reading import HELP
from ._ranks import EQUAL
from ._render_tables import (
    ARROWS,
    WORDS,
    decimals,
    interval,
    metric_columns,
    worst_columns,
)
from ._text import class_cells, flops, number, range_of, seconds, test_set_text, visits

Row = Mapping[str, Any]


def table_rows(table: Row) -> dict[str, Any]:
    """Return a table of one variant, in the metric's unit."""
    unit, columns = table["primary"]["unit"], _columns(table)
    facts = [
        table["preset"],
        table["device"],
        table["primary"]["name"],
        unit,
        WORDS.get(table["primary"]["direction"], ""),
        test_set_text(table["test_set"]),
    ]
    named = [table[part] for part in ("task", "preset", "variant", "device")]
    return {
        "id": f"table-{slug('-'.join(named))}",
        "title": f"{table['task']} · {table['variant']}",
        "about": " · ".join(filter(None, facts)),
        "columns": [one for one, _ in columns],
        "rows": [
            {"method": row["method"], "bold": row["leading"], "cells": cells}
            for row, *cells in zip(table["rows"], *(cells for _, cells in columns), strict=True)
        ],
        "notes": table["notes"],
    }


def _columns(table: Row) -> list[tuple[Column, list[Cell]]]:
    """Return the columns after the method, each with a cell a row: score and place come first, then
    other metrics, costs and remarks.
    """
    rows, primary = table["rows"], table["primary"]
    digits = decimals((row["mean"] for row in rows), primary["unit"])
    several = bool(class_cells(rows))
    metric = (primary["name"] or "value") + ARROWS.get(primary["direction"], "")
    return [
        (
            column("mean", f"{metric} [95 %]"),
            [Cell(number(row["mean"], digits), more=interval(row, digits)) for row in rows],
        ),
        (column("place", "#"), [Cell(str(row["place"] or "—")) for row in rows]),
        (column("range", "Range"), [Cell(range_of(row)) for row in rows]),
        (column("seeds", "Seeds"), [Cell(str(row["n"])) for row in rows]),
        (
            column("gain", "vs baseline"),
            [
                Cell(number(row["vs_low"]["mean"], digits, "+") if row["vs_low"] else "—")
                for row in rows
            ],
        ),
        *_metrics(table),
        *_costs([row["cost"] for row in rows], table["device"]),
        (
            column("remarks", "Remarks", numeric=False),
            [Cell(_remarks(row, several)) for row in rows],
        ),
    ]


def _metrics(table: Row) -> Iterator[tuple[Column, list[Cell]]]:
    """Yield the columns of other metrics, whose help is what the card says of them, and those that
    name the metric in which a row is worst.
    """
    for head, metric, texts in metric_columns(table):
        title = metric["title"]
        said = [
            f"{title[:1].upper()}{title[1:]}. Mean over seeds" if title else HELP["metric"],
            *filter(None, [metric["unit"], WORDS.get(metric["direction"])]),
        ]
        yield Column(head, head, f"{', '.join(said)}."), [Cell(text) for text in texts]
    for head, texts in worst_columns(table):
        yield column("worst", head.capitalize(), numeric=False), [Cell(text) for text in texts]


def _costs(costs: Sequence[Row], device: str) -> list[tuple[Column, list[Cell]]]:
    seen = [
        None if cost["forward"] is None else cost["forward"] + (cost["backward"] or 0)
        for cost in costs
    ]
    return [
        (column("seconds", "Solve s"), [Cell(number(seconds(cost, device), 2)) for cost in costs]),
        (column("flops", "GFLOP"), [Cell(flops(cost), cost["flops"]) for cost in costs]),
        (
            column("visits", "Visits"),
            [
                Cell(visits(cost, count, short(count)), count)
                for cost, count in zip(costs, seen, strict=True)
            ],
        ),
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
    marks += row["warnings"]
    marks.append(f"on {row['class']}" if several and row["class"] else "")
    return "; ".join(mark for mark in marks if mark)
