"""Objects in common and uncommon settings."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
import torch

from bench import Dataset, DatasetCard, DataUnavailable, Meta, Run, Setup

from ._graph_sets import folder_of, stamps
from ._photographs import numbers, pixels

CATEGORIES = ("truck", "car", "plane", "ship", "cat", "dog", "horse", "deer", "frog", "bird")
WEATHERS = frozenset({"foggy", "raining", "snowing"})
"""Uncommon for every category, as night is but for frogs."""
LOCATIONS = {
    "truck": frozenset({"indoors", "rocks", "snow", "water"}),
    "car": frozenset({"indoors", "rocks", "snow", "water"}),
    "plane": frozenset({"forest", "indoors", "rocks", "sand", "snow", "water"}),
    "ship": frozenset({"forest", "grass", "indoors", "rocks", "sand", "street", "snow"}),
    "cat": frozenset({"forest", "rocks", "sand", "snow", "water"}),
    "dog": frozenset({"forest", "rocks", "snow"}),
    "horse": frozenset({"indoors", "rocks", "street", "snow", "water"}),
    "deer": frozenset({"indoors", "rocks", "sand", "street", "snow", "water"}),
    "frog": frozenset({"indoors", "street", "snow"}),
    "bird": frozenset({"indoors", "street", "snow"}),
}
"""Locations in which a category is uncommon, as evaluate_model.py of the authors says."""
HOW = (
    "get focus.zip from the address in the README of priyathamkat/focus and unpack it there, so "
    "that annotations.db lies in the folder focus"
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Photographs of objects, and what of their setting is uncommon.

    Attributes:
        x: pixels (n, 3, size, size), uint8.
        y: categories (n,), int64, in the order of ``CATEGORIES``.
        uncommon: whether time, weather and location are uncommon for it (n, 3), bool.
    """

    x: torch.Tensor
    y: torch.Tensor
    uncommon: torch.Tensor


class Focus(Dataset):
    """Ten categories of objects at three times, in seven weathers and nine locations."""

    card: ClassVar = DatasetCard(
        name="focus",
        title="Objects in common and uncommon settings (FOCUS)",
        licence="research use, as LICENSE.md of priyathamkat/focus says",
        source="priyathamkat/focus",
        size="about 21,000 photographs",
        had="local",
        paper="https://proceedings.mlr.press/v162/kattakinda22a.html",
    )
    size: Annotated[int, Meta(ge=8, le=512)] = 64
    """Pixels of a side."""

    def load(self, run: Setup) -> Settings:
        """Return the photographs, in the order of their names.

        Raises:
            DataUnavailable: a file is not there, or holds something else.
        """
        folder = folder_of("focus", how=HOW)
        table = folder / "annotations.db"
        names, kinds, uncommon = [], [], []
        for name, kind, time, weather, locations in _rows(table):
            names.append(name)
            kinds.append(kind)
            uncommon.append(
                [
                    time == "night" and kind != "frog",
                    weather in WEATHERS,
                    bool(LOCATIONS.get(kind, frozenset()) & set(locations.split(", "))),
                ]
            )
        y = numbers(kinds, CATEGORIES, "category", table)

        def build(child: Run) -> dict[str, torch.Tensor]:
            return {"x": pixels([folder / name.lstrip("/") for name in names], self.size, HOW)}

        recipe = {"dataset": "focus", "size": self.size, "files": stamps([table])}
        return Settings(x=run.cached(recipe, build)[0]["x"], y=y, uncommon=torch.tensor(uncommon))


def _rows(table: Path) -> list[tuple[str, ...]]:
    if not table.is_file():
        raise DataUnavailable(f"{str(table)!r} is missing; {HOW}.")
    asked = "SELECT file_name, category, time, weather, locations FROM annotations"
    try:
        with closing(sqlite3.connect(f"{table.absolute().as_uri()}?mode=ro", uri=True)) as base:
            rows = base.execute(f"{asked} ORDER BY file_name").fetchall()
    except sqlite3.Error as error:
        raise DataUnavailable(f"{str(table)!r} can't be read ({error}); {HOW}.") from error
    if not rows:
        raise DataUnavailable(f"{str(table)!r} has no rows; {HOW}.")
    return rows
