"""Basketball players who follow each other, with salaries and countries."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from bench import Dataset, DatasetCard, DataUnavailable, Run, Setup

from ._graph_sets import folder_of, stamps

LABEL, SECOND, NODE = "SALARY", "country", "user_id"
HOW = "copy dataset/NBA of EnyanDai/FairGNN there, named nba"


class Nba(Dataset):
    """403 players; the class is a high salary, the second label the country."""

    card: ClassVar = DatasetCard(
        name="nba",
        title="NBA players, their salaries and countries",
        licence="none stated by its authors",
        source="EnyanDai/FairGNN, dataset/NBA",
        size="403 nodes",
        had="local",
        paper="arXiv:2009.01454",
    )

    def load(self, run: Setup) -> dict[str, torch.Tensor]:
        """Return ``x`` (n, f) float32, ``y`` and ``s`` (n,) int64, -1 where unknown, and ``pairs``
        (2, m) int64.

        Raises:
            DataUnavailable: a file is not there, or holds something else.
        """
        folder = folder_of("nba", how=HOW)
        files = [folder / "nba.csv", folder / "nba_relationship.txt"]
        if absent := [path for path in files if not path.is_file()]:
            raise DataUnavailable(f"{str(absent[0])!r} is missing; {HOW}.")

        def build(child: Run) -> dict[str, torch.Tensor]:
            return _read(*files)

        return run.cached({"dataset": "nba", "files": stamps(files)}, build)[0]


def _read(table: Path, relations: Path) -> dict[str, torch.Tensor]:
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or (absent := [name for name in (LABEL, SECOND, NODE) if name not in rows[0]]):
        raise DataUnavailable(
            f"{str(table)!r} has no column {absent[0] if rows else LABEL!r}; {HOW}."
        )
    names = [name for name in rows[0] if name not in (LABEL, SECOND, NODE)]
    number = {int(float(row[NODE])): k for k, row in enumerate(rows)}
    x = np.array([[float(row[name]) for name in names] for row in rows], dtype=np.float32)
    pairs = [
        [number[int(end)] for end in line.split()]
        for line in relations.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    labels, second = (
        np.array([int(float(row[name])) for row in rows], dtype=np.int64)
        for name in (LABEL, SECOND)
    )
    return {
        "x": torch.from_numpy(x),
        "y": torch.from_numpy(labels.clip(-1, 1)),
        "s": torch.from_numpy(second.clip(-1, 1)),
        "pairs": torch.tensor(pairs, dtype=torch.int64).T.contiguous(),
    }
