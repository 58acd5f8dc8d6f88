"""A CSV file as a table of cells: its separator, its header, and rows of one length."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

from bench import DataUnavailable

from ._csv_cells import missing, number, pointed

SEPARATORS = ",;\t"

Line = tuple[int, list[str]]
"""The number of a line in the file, and its cells without space around."""


def table(file: str) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the rows, all of one length, without a missing value.

    Raises:
        DataUnavailable: the file can't be read, or is no table with a header.
    """
    text = _text(file)
    separator, lines = _lines(file, text)
    if len(lines) < 2:
        raise DataUnavailable(
            f"{file!r} has {len(lines)} line{'s' * (len(lines) != 1)}; it needs a line of column "
            "names and a line for each row."
        )
    (_, names), *body = lines
    _refuse_lengths(file, names, body, separator)
    _refuse_header(file, names, body)
    rows = [row for _, row in body]
    _refuse_missing(file, names, rows)
    return names, rows if separator == "," else pointed(file, names, rows)


def _text(file: str) -> str:
    try:
        text = Path(file).expanduser().read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataUnavailable(
            f"{file!r} is not UTF-8 text (its byte {error.start} is not); save it as UTF-8."
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataUnavailable(
            f"the CSV file {file!r} can't be read ({reason}); name one relative to "
            f"{str(Path.cwd())!r}, where the command starts, or with its whole path."
        ) from None
    if "\0" in text:
        raise DataUnavailable(
            f"{file!r} is not UTF-8 text (it holds zero bytes, as UTF-16 does); save it as UTF-8."
        )
    return text


def _lines(file: str, text: str) -> tuple[str, list[Line]]:
    """Return the separator by which all lines have as many cells as the header, and the lines;
    without any, the one that is most frequent in the first line.
    """
    fits = {}
    for separator in filter(text.__contains__, SEPARATORS):
        try:
            lines = _parsed(text, separator)
        except csv.Error:
            continue  # quotes that stand well between other separators
        if len({len(row) for _, row in lines}) == 1 and len(lines[0][1]) > 1:
            fits[separator] = lines
    if len(fits) > 1:
        shown = " and of ".join(f"{len(fits[sign][0][1])} columns by {sign!r}" for sign in fits)
        raise DataUnavailable(
            f"{file!r} is a table of {shown}; put texts that hold one of these signs into double "
            "quotes."
        )
    if fits:
        return next(iter(fits.items()))
    separator = max(SEPARATORS, key=text.lstrip().partition("\n")[0].count)
    try:
        return separator, _parsed(text, separator)
    except csv.Error as error:
        raise DataUnavailable(f"{file!r} is no CSV file ({error}); save it as one.") from None


def _parsed(text: str, separator: str) -> list[Line]:
    # newline="" keeps the line breaks inside quotes, and splits at no other sign of Unicode
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True
    )
    lines = ((reader.line_num, [cell.strip() for cell in row]) for row in reader)
    return [(number, row) for number, row in lines if row not in ([], [""])]


def _refuse_lengths(file: str, names: list[str], body: list[Line], separator: str) -> None:
    for line, row in body:
        if len(row) != len(names):
            raise DataUnavailable(
                f"line {line} of {file!r} has {len(row)} value{'s' * (len(row) != 1)} where its "
                f"header has {len(names)}; give it one for each column."
            )
        for cell in row:
            inner = [part.count(separator) for part in cell.splitlines()[1:]]
            if len(names) > 1 and inner and max(inner) >= len(names) - 1:
                raise DataUnavailable(
                    f"a quoted value of {file!r} that ends in line {line} holds whole lines of the "
                    f"file; close the quote before {cell.splitlines()[0]!r} where its value ends."
                )


def _refuse_header(file: str, names: list[str], body: list[Line]) -> None:
    if all(number(name) is not None for name in names):
        raise DataUnavailable(
            f"{file!r} has no header: its first line holds numbers alone ({names[0]}, ...); put a "
            "line with the names of the columns above it."
        )
    if "" in names:
        raise DataUnavailable(
            f"column {names.index('') + 1} of {file!r} has no name; name it, or leave it out if it "
            "numbers the rows or is empty."
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataUnavailable(
            f"two columns of {file!r} are named {twice[0]!r}; give each a name of its own."
        )
    for line, row in body:
        if row == names:
            raise DataUnavailable(f"line {line} of {file!r} repeats the header; take it out.")
    for k, name in enumerate(names):
        if number(name) is None and any(row[k] == name for _, row in body):
            raise DataUnavailable(
                f"{file!r} seems to have no header: {name!r} is the name of a column and a value "
                "of it; put a line with the names of the columns above it, or rename the column."
            )


def _refuse_missing(file: str, names: list[str], rows: list[list[str]]) -> None:
    found = [
        (count, name, cell)
        for count, row in enumerate(rows, 1)
        for name, cell in zip(names, row, strict=True)
        if missing(cell)
    ]
    if found:
        columns = {name for _, name, _ in found}
        row, name, cell = found[0]
        raise DataUnavailable(
            f"{file!r} has {len(found)} missing value{'s' * (len(found) > 1)} in "
            f"{len(columns)} column{'s' * (len(columns) > 1)}, the first in row {row}, "
            f"column {name!r}{f' ({cell!r})' if cell else ''}; fill them in, or leave their rows "
            "or columns out."
        )
