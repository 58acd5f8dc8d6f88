"""A table of one's own: a CSV file with a header, one column of which holds the classes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Sequence
from decimal import Decimal
from typing import ClassVar

import torch

from bench import BenchWarning, Dataset, DatasetCard, DataUnavailable, Setup
from bench.errors import near
from bench.training.data import Examples

from ._csv_cells import alike, disguised, meaning, number
from ._csv_table import table

LEAST = 5
"""Rows that each class has at least: a fifth of them is what methods are judged by."""
TEXTS = 50
"""Different texts of a column that becomes a column of 0 and 1 for each."""
LARGE = 1e15
"""Numbers below: squares of larger ones, summed over rows, leave float32 on some devices."""
NARROW = 1e-7
"""Spread above: tasks divide by at least 1e-8, and a column below that would vanish."""
ROUNDED = 1e-3
"""Most that float32 may move a number of a column, in standard deviations of the column."""


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
        names, rows = table(self.file)
        place = _label(self.file, names, self.label)
        if len(names) < 2:
            raise DataUnavailable(
                f"{self.file!r} has no column beside {names[place]!r}; add those to learn from, "
                "separated by commas, semicolons or tabs."
            )
        texts = [row[place] for row in rows]
        _refuse_alike(self.file, names[place], texts)
        labels = [meaning(text) for text in texts]
        _refuse_few(self.file, names[place], labels)
        columns: list[Sequence[float]] = []
        for k, name in enumerate(names):
            if k != place:
                columns += _columns(self.file, name, [row[k] for row in rows], labels)
        exact = torch.tensor(columns, dtype=torch.float64).T
        x = exact.float().contiguous()
        kept = _first(self.file, exact.tolist(), x.tolist())
        if len(kept) < len(rows):
            labels = [labels[k] for k in kept]
            _refuse_few(self.file, names[place], labels, "where equal rows count once, ")
        classes = {label: k for k, label in enumerate(sorted(set(labels), key=_order))}
        return Examples(x[kept], torch.tensor([classes[label] for label in labels]), len(classes))


def _label(file: str, names: list[str], label: str) -> int:
    """Return the place of the column of classes."""
    if label and label not in names:
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise DataUnavailable(
            f"{file!r} has no column {label!r}.{near(label, names)} Its columns: {shown}."
        )
    return names.index(label) if label else len(names) - 1


def _order(label: Decimal | str) -> tuple[bool, Decimal, str]:
    """Return the key by which numbers come first, in their order, and texts in the alphabet's."""
    if isinstance(label, str):
        return True, Decimal(0), label
    return False, label, ""


def _refuse_alike(file: str, name: str, texts: Sequence[str]) -> None:
    if pair := alike(set(texts)):
        raise DataUnavailable(
            f"column {name!r} of {file!r} holds {pair[0]!r} and {pair[1]!r}, which differ in case, "
            "spaces, invisible characters or the form of a character alone; write them alike."
        )


def _refuse_few(file: str, name: str, labels: Sequence[Decimal | str], where: str = "") -> None:
    """Raise DataUnavailable where there are too few classes, or too few rows of one."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise DataUnavailable(
            f"{where}column {name!r} of {file!r} holds one class alone, {str(labels[0])!r}; a "
            "classifier needs two. Name another column with label=."
        )
    rare, rows = min(counts.items(), key=lambda item: item[1])
    if rows < LEAST:
        few = sum(count < LEAST for count in counts.values())
        raise DataUnavailable(
            f"{where}column {name!r} of {file!r} holds {len(counts)} classes, {few} of them with "
            f"fewer than {LEAST} rows ({str(rare)!r} has {rows}); name the column of classes with "
            "label=, or leave such classes out."
        )


def _first(file: str, exact: list[list[float]], rounded: list[list[float]]) -> list[int]:
    """Return the places of the rows that are equal to no earlier one."""
    seen: dict[tuple[float, ...], int] = {}
    for k, row in enumerate(rounded):
        first = seen.setdefault(tuple(row), k)
        if exact[first] != exact[k]:
            raise DataUnavailable(
                f"rows {first + 1} and {k + 1} of {file!r} differ by less than float32 holds, in "
                "which nets compute; round the numbers of their columns, or subtract what they "
                "have in common."
            )
    return list(seen.values())


def _columns(
    file: str, name: str, cells: list[str], labels: Sequence[Hashable]
) -> list[Sequence[float]]:
    """Return a column of numbers as it is, and one of texts as a column of 0 and 1 for each."""
    numbers = [value for value in map(number, cells) if value is not None]
    if len(numbers) == len(cells):
        _refuse_imprecise(file, name, cells, numbers)
        _refuse_copy(file, name, numbers, labels)
        _tell_index(file, name, numbers)
        return [numbers]
    _refuse_mixed(file, name, cells, len(numbers))
    texts = sorted(set(cells))
    if len(texts) > TEXTS or len(texts) == len(cells):
        raise DataUnavailable(
            f"column {name!r} of {file!r} holds {len(texts)} different texts in {len(cells)} rows, "
            f"like {cells[0]!r}; leave it out, or write it as numbers or as at most {TEXTS} kinds "
            "that rows share."
        )
    _refuse_alike(file, name, texts)
    _refuse_copy(file, name, cells, labels)
    return [[float(cell == text) for cell in cells] for text in texts]


def _refuse_mixed(file: str, name: str, cells: list[str], numbers: int) -> None:
    """Raise DataUnavailable where a column that is not all numbers holds some, in any form."""
    kinds = set(cells)
    odd = {kind for kind in kinds if (number(kind) is None if numbers else disguised(kind))}
    if odd:
        row, cell = next((row, cell) for row, cell in enumerate(cells, 1) if cell in odd)
        beside = f", and numbers in {numbers} of its {len(cells)} rows" if numbers else ""
        raise DataUnavailable(
            f"column {name!r} of {file!r} holds {cell!r} in row {row}{beside}; write all its "
            "values as numbers like 1234.5, without signs of currency, percent or thousands, or, "
            "if they are kinds, begin each with a letter."
        )


def _refuse_imprecise(file: str, name: str, cells: list[str], numbers: list[float]) -> None:
    """Raise DataUnavailable where float32 can't hold what a column says."""
    begun = f"column {name!r} of {file!r} holds"
    for row, value in enumerate(numbers, 1):
        if abs(value) >= LARGE:
            raise DataUnavailable(
                f"{begun} {cells[row - 1]!r} in row {row}, where nets train on numbers below "
                f"{LARGE:.0e}; write the column in a larger unit, or leave it out."
            )
    (least, low), (most, high) = (find(zip(numbers, cells, strict=True)) for find in (min, max))
    told = f"{begun} numbers from {low!r} to {high!r}"
    exact = torch.tensor(numbers, dtype=torch.float64)
    lost = float((exact - exact.float()).abs().max())
    spread = float(exact.std()) if least < most else 0.0
    if lost > ROUNDED * spread if spread else len(set(map(meaning, cells))) > 1:
        raise DataUnavailable(
            f"{told}, whose differences are lost in float32, in which nets "
            "compute; subtract the smallest from all, or leave it out."
        )
    if 0 < spread <= NARROW:
        raise DataUnavailable(
            f"{told}, whose spread is too small to train on; write them in a "
            "smaller unit, or leave the column out."
        )


def _refuse_copy(
    file: str, name: str, values: Sequence[Hashable], labels: Sequence[Hashable]
) -> None:
    """Raise DataUnavailable where a column is the class under other names."""
    kinds = len(set(labels))
    if len(set(values)) == kinds == len(set(zip(values, labels, strict=True))):
        raise DataUnavailable(
            f"column {name!r} of {file!r} has another value for each class and the same for all "
            "rows of a class, so it is the class itself; leave it out."
        )


def _tell_index(file: str, name: str, numbers: list[float]) -> None:
    least = min(numbers)
    if all(value == least + k for k, value in enumerate(sorted(numbers))):
        warnings.warn(
            f"column {name!r} of {file!r} numbers the rows: it tells an order of theirs, which may "
            "be that of the classes, and makes rows different that are equal otherwise; leave it "
            "out unless this is meant.",
            BenchWarning,
            stacklevel=2,
        )
