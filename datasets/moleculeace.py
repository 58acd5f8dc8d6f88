"""Activities at thirty ChEMBL targets, from the files that ship with MoleculeACE."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch

from bench import BenchError, Dataset, DatasetCard, Run, Setup

from ._molecules import Molecules, featurise, file_of, molecules_of


class MoleculeACE(Dataset):
    """Measured activity of molecules at one target, with a note on which are activity cliffs."""

    card: ClassVar = DatasetCard(
        name="moleculeace",
        title="Activities at ChEMBL targets (-log10 of nmol/l)",
        licence="MIT (the package's, which makes no exception for its data); ChEMBL, where it "
        "comes from, is CC BY-SA 3.0",
        source="MoleculeACE 3.0.0, MoleculeACE/Data/benchmark_data; ChEMBL v29",
        size="48,714 molecules at 30 targets, 615 to 3,657 each",
        had="shipped",
        get="pip install 'datacentric-bench[mol]'; pip install --no-deps MoleculeACE==3.0.0",
        fingerprint="67d7e52ab6e195c4f17a840b1360decfd1bdb6258ad88364ec40d437d443ad37",
        libraries=("rdkit",),
        paper="doi:10.1021/acs.jcim.2c01073",
    )
    target: str = "CHEMBL234_Ki"
    """Name of the target's file."""

    def load(self, run: Setup) -> Molecules:
        """Return the molecules of the target in the order of the file.

        Raises:
            DataUnavailable: MoleculeACE's files are not there, or none is of this target.
            BenchError: the target is no name of a file.
        """
        if not re.fullmatch(r"CHEMBL\d+_(Ki|EC50)", self.target):
            raise BenchError(
                f"the data set moleculeace got target={self.target!r}; it is a ChEMBL number with "
                "what was measured, like CHEMBL234_Ki."
            )
        file = file_of("MoleculeACE", f"Data/benchmark_data/{self.target}.csv", "3.0.0")

        def build(child: Run) -> dict[str, torch.Tensor]:
            return featurise(_read(file))

        tensors, _ = run.cached(
            {"dataset": "moleculeace", "target": self.target, "MoleculeACE": "3.0.0"}, build
        )
        return molecules_of(tensors)


def _read(file: Path) -> Iterator[tuple[Any, float, bool]]:
    from rdkit import Chem

    with file.open(newline="", encoding="utf-8") as opened:
        for row in csv.DictReader(opened):
            yield Chem.MolFromSmiles(row["smiles"]), float(row["y"]), row["cliff_mol"] == "1"
