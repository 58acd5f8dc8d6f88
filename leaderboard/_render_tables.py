"""Writing the tables by variant as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._text import (
    MOST_DECIMALS,
    Column,
    class_column,
    defaults_column,
    escape,
    flops,
    grid,
    number,
    range_of,
    seconds,
    test_set_text,
    visits,
)

Row = Mapping[str, Any]


ARROWS = {"max": " ↑", "min": " ↓"}
WORDS = {"max": "higher is better", "min": "lower is better"}
LEGEND = {
    "leading": "Bold: not separable from the first. Range: of the true rank, at 95 %.",
    "plain": "○ a plain baseline: what anyone would try first.",
    "needs": "† needs more than the problem: {needs}.",
    "peeks": "‡ a reference that sees the hidden part.",
    "provisional": "\\* provisional: it lacks seeds that another row has.",
    "stale": "stale: computed by code or libraries that have changed since; run it again.",
}


def table_markdown(table: Row) -> str:
    rows = table["rows"]
    facts = [
        *(table[key] for key in ("task", "variant", "preset", "device")),
        test_set_text(table["test_set"]),
    ]
    heading = "### " + " · ".join(escape(fact) for fact in facts if fact)
    columns = [
        ("#", "right", [str(row["place"] or "—") for row in rows]),
        ("range", "right", [range_of(row) for row in rows]),
        ("method", "left", [_marked(row) for row in rows]),
        *_primary(table),
        *_metrics(table),
        *_costs(rows, table["device"]),
        *defaults_column(rows),
        *class_column(rows),
    ]
    if any(set(row["statuses"]) != {"ok"} for row in rows):
        columns.append(("status", "left", [statuses(row) for row in rows]))
    return "\n\n".join(
        filter(
            None,
            [
                heading,
                _judged_by(table["primary"]),
                grid(columns),
                _legend(rows),
                _unranked(table),
                *map(escape, table["notes"]),
            ],
        )
    )


def _judged_by(primary: Row) -> str:
    facts = ", ".join(
        filter(None, [primary["name"], primary["unit"], WORDS.get(primary["direction"])])
    )
    return escape(
        f"{primary['title'][:1].upper()}{primary['title'][1:]} ({facts})."
        if primary["title"]
        else facts
    )


def _marked(row: Row) -> str:
    marks = (
        ("○" if row["plain"] else "")
        + ("†" if row["needs"] else "")
        + ("‡" if row["peeks"] else "")
        + ("\\*" if row["provisional"] else "")
    )
    name = f"**{escape(row['method'])}**" if row["leading"] else escape(row["method"])
    return name + (f" {marks}" if marks else "") + (" (stale)" if row["stale"] else "")


def _legend(rows: Sequence[Row]) -> str:
    needs = escape(", ".join(sorted({need for row in rows for need in row["needs"]})))
    return " ".join(
        text.format(needs=needs) for mark, text in LEGEND.items() if any(row[mark] for row in rows)
    )


def _unranked(table: Row) -> str:
    """Say why rows have no place, where the notes of the table do not say it for all of them."""
    reasons: dict[str, list[str]] = {}
    for row in table["rows"]:
        if row["why"] and row["why"] not in table["notes"]:
            reasons.setdefault(row["why"], []).append(row["method"])
    return "\n".join(
        f"- No place: {escape(', '.join(methods))} ({escape(why)})."
        for why, methods in reasons.items()
    )


def _primary(table: Row) -> list[Column]:
    rows = table["rows"]
    digits = decimals((row["mean"] for row in rows), table["primary"]["unit"])
    columns: list[Column] = [
        (
            "mean" + ARROWS.get(table["primary"]["direction"], ""),
            "right",
            [number(row["mean"], digits) for row in rows],
        ),
        ("95 % interval", "right", [interval(row, digits) for row in rows]),
        ("n", "right", [str(row["n"]) for row in rows]),
        ("sd", "right", [number(row["sd"], digits) for row in rows]),
    ]
    if any(row["vs_low"] for row in rows):
        sign = " (+ is better)" if table["primary"]["direction"] in WORDS else ""
        columns.append(
            (f"vs baseline{sign}", "right", [difference(row["vs_low"], digits) for row in rows])
        )
    return columns


def _metrics(table: Row) -> list[Column]:
    """Show the other metrics that are columns, and in which of them rows are worst."""
    return [
        *((escape(head), "right", cells) for head, _, cells in metric_columns(table)),
        *(
            (escape(head), "left", [escape(cell) for cell in cells])
            for head, cells in worst_columns(table)
        ),
    ]


def metric_columns(table: Row) -> list[tuple[str, Row, list[str]]]:
    """Return the columns of a table beside the primary metric: head, metric, and a cell a row."""
    known = {metric["name"]: metric for metric in table["metrics"]}
    columns = []
    for metric in (known[name] for name in table["columns"]):
        values = [row["metrics"][metric["name"]] for row in table["rows"]]
        digits = decimals(values, metric["unit"])
        head = metric["name"] + ARROWS.get(metric["direction"], "")
        columns.append((head, metric, [number(value, digits) for value in values]))
    return columns


def worst_columns(table: Row) -> list[tuple[str, list[str]]]:
    """Return the columns that name the metric in which each row is worst: head and cells."""
    heads = dict.fromkeys(head for row in table["rows"] for head in row["worst"])
    return [(head, [row["worst"].get(head, "—") for row in table["rows"]]) for head in heads]


def _costs(rows: Sequence[Row], device: str) -> list[Column]:
    taken = "solve CPU s" if device == "cpu" else "solve s"
    costs = [row["cost"] for row in rows]
    return [
        (taken, "right", [number(seconds(cost, device), 2) for cost in costs]),
        ("GFLOP", "right", [flops(cost) for cost in costs]),
        (
            "forward passes (k)",
            "right",
            [
                visits(cost, cost["forward"], number(_scaled(cost["forward"], 1000), 1))
                for cost in costs
            ],
        ),
        ("MB", "right", [number(cost["peak_rss_mb"], 0) for cost in costs]),
    ]


def _scaled(value: float | None, unit: int) -> float | None:
    return None if value is None else value / unit


def statuses(row: Row) -> str:
    return ", ".join(f"{count} {status}" for status, count in row["statuses"].items())


def decimals(values: Iterable[float | None], unit: str = "") -> int:
    """Return two decimals for percentages; else as many as give the
    largest of ``values`` four digits, at most :data:`.MOST_DECIMALS`.
    """
    if unit in ("%", "points"):
        return 2
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return min(MOST_DECIMALS, max(0, 4 - math.ceil(math.log10(largest)))) if largest else 2


def telling(mean: float, low: float | None, high: float | None, digits: int) -> int:
    """Return ``digits``, or where these leave less than two digits of a difference, and hide a sign
    that its interval leaves no doubt of, as many decimals as give the end next to 0 two digits.
    """
    unsure = low is not None and high is not None and low <= 0 <= high
    if unsure or abs(mean) >= 10 ** (1 - digits):
        return digits
    ends = [abs(end) for end in (mean, low, high) if end]
    least = min(filter(math.isfinite, ends), default=1.0)
    if round(least, digits):
        return digits
    return min(MOST_DECIMALS, 1 + math.ceil(-math.log10(least)))


def interval(row: Row, digits: int, sign: str = "") -> str:
    """Return ``[low, high]``, or a dash."""
    return (
        "—"
        if row["low"] is None or row["high"] is None
        else f"[{number(row['low'], digits, sign)}, {number(row['high'], digits, sign)}]"
    )


def difference(found: Row | None, digits: int) -> str:
    """Return ``mean [low, high]`` with at least so many decimals, or a dash."""
    if found is None:
        return "—"
    if found["mean"] is not None:
        digits = telling(found["mean"], found["low"], found["high"], digits)
    return f"{number(found['mean'], digits, '+')} {interval(found, digits, '+')}"
