"""Photographs in a folder, with a table that says what they show."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch

from bench import DataUnavailable


class Photographs(msgspec.Struct, frozen=True, kw_only=True):
    """Photographs of one size, in the three parts that their authors made.

    Attributes:
        x: pixels (n, 3, size, size), uint8.
        y: labels (n,), int64.
        attribute: value of what is not the label but goes with it (n,), int64.
        part: 0 for training, 1 for validation, 2 for test rows (n,), int64.
    """

    x: torch.Tensor
    y: torch.Tensor
    attribute: torch.Tensor
    part: torch.Tensor


def rows_of(table: Path, columns: Sequence[str], how: str) -> list[list[str]]:
    """Return these columns of a CSV file, row by row.

    Raises:
        DataUnavailable: the file is not there, is empty, or lacks one of them.
    """
    if not table.is_file():
        raise DataUnavailable(f"{str(table)!r} is missing; {how}.")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or (absent := [name for name in columns if name not in rows[0]]):
        raise DataUnavailable(
            f"{str(table)!r} has no column {absent[0] if rows else columns[0]!r}; {how}."
        )
    return [[row[name] for name in columns] for row in rows]


def pixels(files: Sequence[Path], size: int, how: str) -> torch.Tensor:
    """Return pictures (n, 3, size, size), uint8: their middle square, made smaller.

    Raises:
        DataUnavailable: a file is not there, or is no picture.
    """
    from PIL import Image, UnidentifiedImageError

    found = np.empty((len(files), 3, size, size), dtype=np.uint8)
    for place, path in enumerate(files):
        try:
            with Image.open(path) as picture:
                side = min(picture.size)
                left, top = ((whole - side) // 2 for whole in picture.size)
                square = picture.convert("RGB").resize(
                    (size, size),
                    Image.Resampling.BILINEAR,
                    box=(left, top, left + side, top + side),
                )
        except (OSError, UnidentifiedImageError) as error:
            raise DataUnavailable(f"{str(path)!r} can't be read as a picture; {how}.") from error
        found[place] = np.asarray(square).transpose(2, 0, 1)
    return torch.from_numpy(found)


def numbers(values: Sequence[str], wanted: Sequence[str], name: str, table: Path) -> torch.Tensor:
    """Return the places of values among the wanted ones (n,), int64.

    Raises:
        DataUnavailable: another value is among them.
    """
    places = {value: place for place, value in enumerate(wanted)}
    if odd := [value for value in values if value not in places]:
        raise DataUnavailable(
            f"{name} of {str(table)!r} is {odd[0]!r} in a row; it should be one of "
            f"{', '.join(wanted)}."
        )
    return torch.tensor([places[value] for value in values], dtype=torch.int64)
