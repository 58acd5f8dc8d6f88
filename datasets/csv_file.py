"""A table of one's own: a CSV file with a header, one column of which holds the classes."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path
from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, DataUnavailable, Setup
from bench.errors import near
from bench.training.data import Examples

LEAST = 5
"""Rows that each class has at least: a fifth of them is what methods are judged by."""
TEXTS = 50
"""Different texts of a column that becomes a column of 0 and 1 for each."""
MISSING = ("", "?", "na", "n/a", "nan", "null", "none")
"""How files write that a value is missing, in lower case."""


class CsvFile(Dataset):
    """The rows of a CSV file; a column of texts becomes a column of 0 and 1 for each of them.

    Of rows that are equal in all columns but the class the first one counts, so that none is both
    trained on and judged by.
    """

    card: ClassVar = DatasetCard(
        name="csv",
        title="A CSV file of your own",
        licence="the file's own",
        source="the file that the parameter 'file' names",
        size="as large as the file",
        had="local",
    )

    file: str = ""
    """The file, relative to the folder that the command starts in; UTF-8, with a header, separated
    by commas, semicolons or tabs.
    """
    label: str = ""
    """The column of classes; none: the last one."""

    def load(self, run: Setup) -> Examples:
        """Return x (n, d) float32, columns in the order of the file, and y (n,), classes in order
        of number or alphabet.

        Raises:
            DataUnavailable: there is no such file, or it is no table of classes.
        """
        if not self.file:
            raise DataUnavailable(
                "no CSV file was named; name one and its column of classes in brackets, as in "
                "--task 'noisy-csv[file=flowers.csv,label=species]'."
            )
        names, rows = _table(self.file)
        place = _label(self.file, names, self.label)
        _refuse_missing(self.file, names, rows)
        labels = [row[place] for row in rows]
        _refuse_few(self.file, names[place], labels)
        columns: list[list[float]] = []
        for k, name in enumerate(names):
            if k != place:
                columns += _numbers(self.file, name, [row[k] for row in rows])
        if not columns:
            raise DataUnavailable(
                f"{self.file!r} has no column beside {names[place]!r}; add those to learn from."
            )
        x = torch.tensor(columns, dtype=torch.float32).T.contiguous()
        first = {tuple(row): k for k, row in reversed([*enumerate(x.tolist())])}
        kept = sorted(first.values())
        labels = [labels[k] for k in kept]
        if len(kept) < len(rows):
            _refuse_few(self.file, names[place], labels, "where equal rows count once, ")
        classes = _ordered(labels)
        return Examples(x[kept], torch.tensor([classes[label] for label in labels]), len(classes))


def _table(file: str) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the rows, all of one length, without space around."""
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataUnavailable(
            f"{file!r} is not UTF-8 text (its byte {error.start} is not); save it as UTF-8."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataUnavailable(
            f"the CSV file {file!r} can't be read ({reason}); name one relative to "
            f"{str(Path.cwd())!r}, where the command starts, or with its whole path."
        ) from None
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    try:
        lines = [
            (reader.line_num, [cell.strip() for cell in row])
            for reader in [csv.reader(text.splitlines(), delimiter=separator, strict=True)]
            for row in reader
            if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise DataUnavailable(f"{file!r} is no CSV file ({error}); save it as one.") from None
    if len(lines) < 2:
        raise DataUnavailable(
            f"{file!r} has {len(lines)} line{'s' * (len(lines) != 1)}; it needs a line of column "
            "names and a line for each row."
        )
    (_, names), rows = lines[0], lines[1:]
    if all(_number(name) is not None for name in names):
        raise DataUnavailable(
            f"{file!r} has no header: its first line holds numbers alone ({names[0]}, ...); put a "
            "line with the names of the columns above it."
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataUnavailable(
            f"two columns of {file!r} are named {twice[0]!r}; give each a name of its own."
        )
    for number, row in rows:
        if len(row) != len(names):
            raise DataUnavailable(
                f"line {number} of {file!r} has {len(row)} values where its header has "
                f"{len(names)}; give it one for each column."
            )
    return names, [row for _, row in rows]


def _label(file: str, names: list[str], label: str) -> int:
    """Return the place of the column of classes."""
    if label and label not in names:
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise DataUnavailable(
            f"{file!r} has no column {label!r}.{near(label, names)} Its columns: {shown}."
        )
    return names.index(label) if label else len(names) - 1


def _refuse_missing(file: str, names: list[str], rows: list[list[str]]) -> None:
    missing = [
        (number, name)
        for number, row in enumerate(rows, 1)
        for name, cell in zip(names, row, strict=True)
        if cell.lower() in MISSING
    ]
    if missing:
        columns = {name for _, name in missing}
        raise DataUnavailable(
            f"{file!r} has {len(missing)} missing value{'s' * (len(missing) > 1)} in "
            f"{len(columns)} column{'s' * (len(columns) > 1)}, the first in row {missing[0][0]}, "
            f"column {missing[0][1]!r}; fill them in, or leave their rows or columns out."
        )


def _refuse_few(file: str, name: str, labels: list[str], where: str = "") -> None:
    """Raise DataUnavailable where there are too few classes, or too few rows of one."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise DataUnavailable(
            f"{where}column {name!r} of {file!r} holds one class alone, {labels[0]!r}; a "
            "classifier needs two. Name another column with label=."
        )
    rare, rows = min(counts.items(), key=lambda item: item[1])
    if rows < LEAST:
        few = sum(count < LEAST for count in counts.values())
        raise DataUnavailable(
            f"{where}column {name!r} of {file!r} holds {len(counts)} classes, {few} of them with "
            f"fewer than {LEAST} rows ({rare!r} has {rows}); name the column of classes with "
            "label=, or leave such classes out."
        )


def _ordered(labels: list[str]) -> dict[str, int]:
    """Return class -> its number: in order of number where all are, else of the alphabet."""
    numbers = {label: _number(label) for label in set(labels)}
    ordered = (
        sorted(numbers)
        if None in numbers.values()
        else sorted(numbers, key=lambda label: (numbers[label] or 0.0, label))
    )
    return {label: k for k, label in enumerate(ordered)}


def _numbers(file: str, name: str, cells: list[str]) -> list[list[float]]:
    """Return a column of numbers as it is, and one of texts as a column of 0 and 1 for each."""
    numbers = [_number(cell) for cell in cells]
    found = [value for value in numbers if value is not None]
    if len(found) == len(cells):
        return [found]
    texts = sorted(set(cells))
    if len(texts) > TEXTS:
        first = next(cell for cell, value in zip(cells, numbers, strict=True) if value is None)
        raise DataUnavailable(
            f"column {name!r} of {file!r} holds {len(texts)} different texts, like {first!r}; "
            f"leave it out, or write it as numbers or as at most {TEXTS} kinds."
        )
    return [[float(cell == text) for cell in cells] for text in texts]


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e30 else None
