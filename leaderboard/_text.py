"""Text for tables: numbers, escaping, grids. The same values give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

Column = tuple[str, str, list[str]]
"""Heading, alignment, cells."""

MOST_DECIMALS = 8
"""Decimals beyond which a number that needs more is written with an exponent."""
_ENTITIES = str.maketrans({character: f"&#{ord(character)};" for character in "&<>|`*\\"})


def one_line(text: str) -> str:
    """Return ``text`` as one line without control characters."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def escape(text: str) -> str:
    """Return ``text`` as one line of Markdown that is shown as it stands:
    no cell border, code, tag, link or control character.
    """
    return one_line(text).translate(_ENTITIES).replace("](", "]&#40;")


def number(value: float | None, digits: int, sign: str = "") -> str:
    """Return a number with so many decimals, huge and tiny ones with an exponent; a dash for none,
    no sign where it rounds to zero.
    """
    if value is None:
        return "—"
    tiny = digits >= MOST_DECIMALS and 0 < abs(value) < 100 * 10**-MOST_DECIMALS
    text = f"{value:{sign}.3g}" if tiny or abs(value) >= 1e9 else f"{value:{sign}.{digits}f}"
    return text.lstrip("+-") if not text.strip("+-0.") else text


def range_of(row: Mapping[str, Any]) -> str:
    """Return the range of a row's true rank, one number where both ends are one."""
    if not row["range"]:
        return "—"
    low, high = row["range"]
    return str(low) if low == high else f"{low}–{high}"  # noqa: RUF001 - a range is written with an en dash


def class_cells(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the class of machine of each row; nothing where all rows that ran are of one."""
    known = {row["class"] for row in rows if row["class"]}
    several = len(known) > 1 or any(", " in name for name in known)
    return [row["class"] or "—" for row in rows] if several else []


def class_column(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return the column of classes, escaped; none where all rows that ran are of one."""
    cells = class_cells(rows)
    return [("class", "left", [escape(cell) for cell in cells])] if cells else []


def defaults_column(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return the column that says where the parameters of each row come
    from, escaped; none where no row says it.
    """
    stated = any(row["defaults"] not in ("", "not stated") for row in rows)
    return (
        [("defaults from", "left", [escape(row["defaults"] or "—") for row in rows])]
        if stated
        else []
    )


def classes_text(classes: Sequence[Mapping[str, Any]]) -> str:
    """Say which classes of machines a board's runs are of; empty: there is no run."""
    parts = {
        one["name"]: filter(None, [one["cpu"] or "not recorded", one["gpu"], one["kernels"]])
        for one in classes
    }
    said = [f"{name} ({'; '.join(facts)})" for name, facts in parts.items()]
    if len(said) < 2:
        return f"All runs are of one class of machine: {said[0]}." if said else ""
    return (
        f"The runs are of {len(said)} classes of machines, and compared within one alone: "
        f"{'; '.join(said)}."
    )


def suite_text(suite: Mapping[str, Any]) -> str:
    """Return the name of a suite, with the tier of one that has several,
    and the tuning budget of a board that has one.
    """
    tier = f", tier {suite['tier']}" if len(suite["tiers"]) > 1 else ""
    return (
        suite["name"]
        + tier
        + (f", tuned among {suite['budget']} settings" if suite["budget"] else "")
    )


def seeds_text(needed: int | str | None) -> str:
    """Return how many seeds would decide; empty: no number does."""
    return f"{needed} seeds would decide" if needed else ""


def test_set_text(test_set: str) -> str:
    """Return that the rows a task judges by are the same for every seed;
    empty: seeds draw them, or no card says so.
    """
    return "fixed test set" if test_set in ("official", "fixed") else ""


def counted(count: int, thing: str) -> str:
    """Return ``3 tasks``, or ``1 task``."""
    return f"{count} {thing}{'s' * (count != 1)}"


def grid(columns: Sequence[Column]) -> str:
    """Return columns as a Markdown table."""
    from tabulate import tabulate

    heads, aligned, cells = zip(*columns, strict=True)
    return tabulate(
        list(zip(*cells, strict=True)),
        headers=list(heads),
        tablefmt="github",
        colalign=aligned,
        disable_numparse=True,
    )


def as_csv(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return flat mappings as CSV with the names of all of them."""
    if not lines:
        return ""
    names = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in names])
    writer.writerows([_cell(line.get(name)) for name in names] for line in lines)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Return a CSV cell.

    A spreadsheet would run a text that starts like a formula; the apostrophe stops it.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    line = one_line(value)
    return f"'{line}" if line.lstrip().startswith(("=", "+", "-", "@")) else line


def flops(cost: Mapping[str, Any]) -> str:
    """Return the operations of a row, in units of 10^9: a lower bound is
    marked, and what was not counted is said to be so.
    """
    if cost["flops"] is None:
        return "not counted"
    return ("≥ " if cost["uncounted"] else "") + f"{cost['flops'] / 1e9:.3g}"


def visits(cost: Mapping[str, Any], count: float | None, shown: str) -> str:
    """Return ``shown``, or that nobody counted: a row without a visit that
    computes something, or may, did not count.
    """
    idle = cost["flops"] == 0 and not cost["uncounted"]
    return "not counted" if not count and not idle else shown


def seconds(cost: Mapping[str, float | None], device: str) -> float | None:
    """Return what solving took: on a CPU processor seconds, which a busy
    machine stretches little; elsewhere seconds by the clock.
    """
    spent = cost.get("solve_cpu_s") if device == "cpu" else None
    return cost.get("solve_s") if spent is None else spent
