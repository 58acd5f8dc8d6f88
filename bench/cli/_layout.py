"""Text for a terminal of some columns: nothing is left out, names stay
whole, and where stdout is no terminal nothing is changed.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import click

_GAP = 2
_KEYS = ("method", "task", "dataset", "track", "row", "run", "parameter", "metric", "preset")
"""Headers of columns that say what a row is of; elsewhere the first column does."""
_FIGURE = 26
"""Most columns of the terminal that a figure with its interval takes; what is longer is prose."""
_WIDE = "bench.wide"


def wide_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--wide``."""

    def note(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.meta[_WIDE] = value

    text = "Print tables at full width; the default if the output is not a terminal."
    return click.option("--wide", is_flag=True, expose_value=False, callback=note, help=text)(
        command
    )


def columns() -> int | None:
    """Return the columns of the terminal that stdout is (or COLUMNS, if that is set); None where it
    is none, or ``--wide`` asks for all.
    """
    context = click.get_current_context(silent=True)
    if (context is not None and context.meta.get(_WIDE)) or not sys.stdout.isatty():
        return None
    return max(20, shutil.get_terminal_size().columns)


def table(
    rows: Sequence[Sequence[Any]], headers: Sequence[str], width: int, right: Sequence[bool] = ()
) -> str:
    """Lay out a table in ``width`` columns: of figures in parts that follow one another, else with
    wrapped cells, else row by row.

    Args:
        rows: cells, shown as text.
        headers: one a column.
        width: columns of the terminal.
        right: which columns are aligned to the right; empty: none.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    right = right or [False] * len(headers)
    key = next((headers.index(name) for name in _KEYS if name in headers), 0)
    natural = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    least = [max(_longest(cell) for cell in column) for column in zip(headers, *cells, strict=True)]
    least[key] = natural[key]
    keys = _telling(cells, key, len(headers))
    room = width - sum(natural[position] + _GAP for position in keys)
    fits = sum(natural) + _GAP * (len(natural) - 1) <= width
    if not fits and all(
        natural[position] <= min(_FIGURE, room)
        for position in range(len(headers))
        if position not in keys
    ):
        return _parts(cells, headers, natural, right, keys, width)
    if (widths := _shared(natural, least, width)) is not None:
        return _grid(cells, headers, widths, right)
    said = [_row(headers, key, width), "-" * width]
    return "\n".join([*said, *(_row(row, key, width) for row in cells)])


def whole(rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> str:
    """Lay out a table however wide, as the style ``simple`` of ``tabulate`` does, whose import
    takes as long as the rest of a listing.
    """
    cells = [["" if cell is None else str(cell).strip() for cell in row] for row in rows]
    widths = [
        max(len(header) + _GAP, *map(len, column))
        for header, *column in zip(headers, *cells, strict=True)
    ]
    return _grid(cells, headers, widths, [False] * len(headers), wrap=False)


def narrow(text: str) -> bool:
    """Say whether a text is one line, each character a column wide."""
    if text.isascii():
        return text.isprintable()
    import unicodedata

    return text.isprintable() and not any(
        unicodedata.east_asian_width(character) in "WF" or unicodedata.category(character)[0] == "M"
        for character in text
    )


def _telling(cells: Sequence[Sequence[str]], key: int, count: int) -> list[int]:
    """Return the columns that tell rows apart: the key, and as many of
    those after it as are needed.
    """
    for end in range(key + 1, count):
        if len({tuple(row[key:end]) for row in cells}) == len(cells):
            return list(range(key, end))
    return [key]


def _longest(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _shared(natural: Sequence[int], least: Sequence[int], width: int) -> list[int] | None:
    """Return the width of every column, between the least and the natural
    ones; None where the least do not fit.
    """
    widths = list(least)
    left = width - sum(widths) - _GAP * (len(widths) - 1)
    if left < 0:
        return None
    while (
        left
        and (
            wanting := max(
                range(len(widths)), key=lambda position: natural[position] - widths[position]
            )
        )
        is not None
    ):
        if natural[wanting] == widths[wanting]:
            break
        widths[wanting] += 1
        left -= 1
    return widths


def _grid(
    cells: Sequence[Sequence[str]],
    headers: Sequence[str],
    widths: Sequence[int],
    right: Sequence[bool],
    wrap: bool = True,
) -> str:
    def lines(row: Sequence[str]) -> list[str]:
        wrapped = [
            _wrap(cell, width) if wrap else [cell] for cell, width in zip(row, widths, strict=True)
        ]
        padded = [part + [""] * (max(map(len, wrapped)) - len(part)) for part in wrapped]
        return [
            (" " * _GAP)
            .join(
                text.rjust(width) if end else text.ljust(width)
                for text, width, end in zip(line, widths, right, strict=True)
            )
            .rstrip()
            for line in zip(*padded, strict=True)
        ]

    rule = (" " * _GAP).join("-" * width for width in widths)
    return "\n".join([*lines(headers), rule, *(line for row in cells for line in lines(row))])


def _parts(
    cells: Sequence[Sequence[str]],
    headers: Sequence[str],
    natural: Sequence[int],
    right: Sequence[bool],
    keys: Sequence[int],
    width: int,
) -> str:
    """Tell a table of figures in several, each with the columns that say what its rows are of."""
    start = sum(natural[position] + _GAP for position in keys) - _GAP
    parts, taken = [list(keys)], start
    for position in range(len(headers)):
        if position in keys:
            continue
        if taken + _GAP + natural[position] > width:
            parts.append(list(keys))
            taken = start
        parts[-1].append(position)
        taken += _GAP + natural[position]

    def chosen(row: Sequence[Any], part: Sequence[int]) -> list[Any]:
        return [row[position] for position in part]

    return "\n\n".join(
        _grid(
            [chosen(row, part) for row in cells],
            chosen(headers, part),
            chosen(natural, part),
            chosen(right, part),
        )
        for part in parts
    )


def _row(row: Sequence[str], key: int, width: int) -> str:
    """Tell a row in lines of its own: what it is of, and below what is said of it."""
    rest = " · ".join(cell for position, cell in enumerate(row) if position != key and cell)
    return "\n".join(
        [row[key], *(f"    {line}" for line in _wrap(rest, max(1, width - 4)) if line)]
    )


def _wrap(text: str, width: int) -> list[str]:
    """Wrap at blanks alone: a name, a path or a number that is broken can't be copied."""
    return textwrap.wrap(text, max(1, width), break_long_words=False, break_on_hyphens=False) or [
        ""
    ]


def wrapped(text: str, width: int | None) -> str:
    """Wrap the lines of ``text`` that are longer than ``width``, each
    below the beginning of what it says; None: none of them.
    """
    if width is None:
        return text
    lines = []
    for line in text.split("\n"):
        if len(line) <= width:
            lines.append(line)
            continue
        start = re.match(r" *(?:[^:]{1,20}: {2,}|[-*] )?", line)
        indent = len(start[0]) if start and len(start[0]) < width // 2 else 0
        head, body = line[:indent], line[indent:]
        lines += [
            (head if number == 0 else " " * indent) + part
            for number, part in enumerate(_wrap(body, width - indent))
        ]
    return "\n".join(lines)


def markdown(text: str, width: int | None) -> str:
    """Lay out Markdown for a terminal of ``width`` columns: its tables as :func:`table` does.

    What fits, and all where that is None, stays as it is.
    """
    if width is None or all(len(line) <= width for line in text.split("\n")):
        return text
    blocks: list[list[str]] = []
    for line in text.split("\n"):
        if blocks and line.startswith("|") and blocks[-1][-1].startswith("|"):
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return "\n".join(
        _markdown_table(block, width) if len(block) > 2 else wrapped("\n".join(block), width)
        for block in blocks
    )


def _markdown_table(lines: Sequence[str], width: int) -> str:
    headers, rule, *rows = [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
        for line in lines
    ]
    return table(rows, headers, width, [cell.endswith(":") for cell in rule])
