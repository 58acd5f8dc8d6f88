"""What a cell of a CSV file says: that a value is missing, a number, or a text."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from bench import DataUnavailable

_WORDS = (
    "? . \\n null none",  # Weka, SAS, databases
    "na n/a <na> nat nan -nan +nan",  # R and pandas
    "#n/a #na #nv #getting_data",  # Excel, in English and in German
    "1.#ind -1.#ind 1.#qnan -1.#qnan",  # C under Windows
)
MISSING = frozenset(["", "#n/a n/a", *" ".join(_WORDS).split()])
"""How files write that a value is missing, in lower case."""
_FAULT = re.compile(r"#[A-ZÀ-Ü0-9_/]+[!?]")
"""What Excel writes where a formula fails, in any language: #DIV/0!, #NAME?, #BEZUG!."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,6})?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d{1,6})?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_DIGITS = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+|\d{1,3}(?:\.\d{3}){2,}|0x[\da-f]+)(?:e[+-]?\d+)?", re.IGNORECASE
)
"""Digits of any script, once signs of currency, thousands and the like are left out."""


def missing(cell: str) -> bool:
    """Say whether a cell holds no value."""
    return cell.lower() in MISSING or _FAULT.fullmatch(cell) is not None


def number(cell: str) -> float | None:
    """Return the number that a cell holds, perhaps an infinite one; None: it is not written as one.

    Python reads more (``1_0``, digits of other scripts, ``infinity``), files mean something else.
    """
    return float(cell) if _NUMBER.fullmatch(cell) else None


def disguised(cell: str) -> bool:
    """Say whether a cell is a number in a form that is not read: ``10%``, ``$5``, ``1,234``,
    ``1_0``, ``0x10``, digits of another script.
    """
    shown = unicodedata.normalize("NFKC", cell).replace("\N{MINUS SIGN}", "-")
    bare = "".join(
        sign
        for sign in shown
        if sign not in "%\N{PER MILLE SIGN},'\N{RIGHT SINGLE QUOTATION MARK}_()"
        and unicodedata.category(sign) not in ("Sc", "Cf", "Zs")
    )
    return _DIGITS.fullmatch(bare) is not None


def meaning(cell: str) -> Decimal | str:
    """Return what equal labels share: ``1``, ``1.0`` and ``+1`` are one number, exactly."""
    return Decimal(cell) if _NUMBER.fullmatch(cell) else cell


def alike(texts: set[str]) -> tuple[str, str] | None:
    """Return two texts that differ in case, in spaces, in the form of a character or in characters
    without a shape alone.

    Single letters may be classes in both cases.
    """
    seen: dict[str, str] = {}
    for text in sorted(texts):
        shown = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
        form = " ".join(unicodedata.normalize("NFKC", shown).split())
        form = form if len(form) == 1 else form.casefold()
        if (other := seen.setdefault(form, text)) != text:
            return other, text
    return None


def pointed(file: str, names: list[str], rows: list[list[str]]) -> list[list[str]]:
    """Return rows whose columns of numbers with a decimal comma have a decimal point.

    Raises:
        DataUnavailable: the commas may as well set thousands apart.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    found = {
        k: [cell for cell in column if _COMMA.fullmatch(cell)]
        for k, column in enumerate(columns)
        if all(_COMMA.fullmatch(cell) or _NUMBER.fullmatch(cell) for cell in column)
    }
    commas = {k: cells for k, cells in found.items() if cells}
    if not commas:
        return rows
    place, (first, *_) = next(iter(commas.items()))
    begun = f"column {names[place]!r} of {file!r} has a comma in {first!r}"
    points = [
        (k, cell) for k in found for cell in columns[k] if _NUMBER.fullmatch(cell) and "." in cell
    ]
    if points:
        other, cell = points[0]
        raise DataUnavailable(
            f"{begun}, and column {names[other]!r} a point in {cell!r}; write all decimals with a "
            "point, and thousands without a sign."
        )
    if all(_THOUSANDS.fullmatch(cell) for cells in commas.values() for cell in cells):
        raise DataUnavailable(
            f"{begun}, which may be {first.replace(',', '.')} or {first.replace(',', '')}; write "
            "decimals with a point, and thousands without a sign."
        )
    for k in commas:
        columns[k] = [cell.replace(",", ".") for cell in columns[k]]
    return [list(row) for row in zip(*columns, strict=True)]
