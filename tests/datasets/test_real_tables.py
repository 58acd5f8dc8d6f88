"""Tables that packages ship: what they hold, that they are the ones the cards pin, and what is said
where they are not.
"""

import shutil
import zipfile

import numpy as np
import pytest
import torch
from bench.builtin.datasets._tables import examples
from bench.builtin.datasets.dna import Dna
from bench.builtin.datasets.letter import Letter
from bench.builtin.datasets.satellite import Satellite
from bench.builtin.datasets.segment import Segment
from bench.builtin.datasets.shuttle import Shuttle

from bench.errors import DataUnavailable
from bench.runs.context import Setup
from bench.runs.guard import fingerprint

HOLDS = {
    Letter: ((20_000, 16), 26, 734, 813, 1_332),
    Satellite: ((6_435, 36), 6, 626, 1_533, 0),
    Shuttle: ((58_000, 9), 7, 10, 45_586, 0),
    Dna: ((3_186, 180), 3, 765, 1_654, 184),
    Segment: ((2_310, 18), 7, 330, 330, 224),
}
"""Shape, classes, rows of the rarest and of the most frequent, rows that repeat another with its
label.
"""
FRAMES = {Letter: "LetterRecognition", Satellite: "Satellite", Shuttle: "Shuttle", Dna: "DNA"}


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No local data and no packages of R."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("R_LIBS_SITE", f"{tmp_path / 'one'}:{tmp_path / 'two'}")


def load(dataset, tmp_path):
    return dataset.load(
        Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)
    )


@pytest.mark.parametrize("kind", HOLDS)
def test_a_table_has_its_rows_columns_and_classes_and_is_the_one_that_its_card_pins(real, kind):
    data = real(kind())
    shape, classes, rarest, largest, repeated = HOLDS[kind]
    counts = data.y.bincount(minlength=classes)
    assert (tuple(data.x.shape), data.x.dtype, data.y.dtype) == (shape, torch.float32, torch.int64)
    assert (data.classes, int(counts.min()), int(counts.max())) == (classes, rarest, largest)
    assert data.x.isfinite().all()
    both = torch.cat([data.x, data.y[:, None].float()], 1)
    assert len(both) - len(both.unique(dim=0)) == repeated
    assert fingerprint(data) == kind.card.fingerprint


def test_classes_are_the_levels_in_their_order_and_columns_those_of_the_file(real):
    letter, satellite, dna = real(Letter()), real(Satellite()), real(Dna())
    assert letter.y[:4].tolist() == [ord(name) - ord("A") for name in "TIDN"]  # the file's first
    assert letter.x[0].tolist() == [2, 8, 3, 5, 1, 8, 13, 0, 6, 6, 10, 8, 0, 8, 0, 8]
    assert (letter.x.min(), letter.x.max()) == (0, 15)
    # red soil, cotton crop, grey soil, damp grey soil, vegetation stubble, very damp grey soil
    assert satellite.y.bincount().tolist() == [1_533, 703, 1_358, 626, 707, 1_508]
    assert set(dna.x.unique().tolist()) == {0, 1}
    # alphabetical: path is the fifth, foliage the third, sky the sixth
    assert real(Segment()).y[:3].tolist() == [4, 2, 5]


def test_a_table_is_found_in_local_data_first_and_then_where_r_has_its_packages(
    real, request, tmp_path
):
    real(Satellite())  # or the test is skipped
    request.getfixturevalue("alone")
    source = "/usr/lib/R/site-library/mlbench/data/Satellite.rda"
    second = tmp_path / "two" / "mlbench" / "data"
    second.mkdir(parents=True)
    shutil.copy(source, second)
    assert fingerprint(load(Satellite(), tmp_path)) == Satellite.card.fingerprint
    local = tmp_path / "data" / "mlbench"
    local.mkdir(parents=True)
    (local / "Satellite.rda").write_bytes(b"RDX3 and then nothing")
    with pytest.raises(DataUnavailable, match="could not be read as R's table Satellite") as told:
        load(Satellite(), tmp_path)
    assert str(local) in str(told.value)


@pytest.mark.parametrize("kind", FRAMES)
def test_where_a_table_of_r_is_not_the_sentence_says_how_to_have_it(alone, tmp_path, kind):
    with pytest.raises(DataUnavailable) as told:
        load(kind(), tmp_path)
    for part in (
        f"'{kind.card.name}' is not on this machine",
        "run 'apt-get install r-cran-mlbench' (1 MB, GPL-2)",
        f"put {FRAMES[kind]}.rda",
        str(tmp_path / "data" / "mlbench"),
    ):
        assert part in str(told.value)


def test_where_river_is_not_or_its_file_is_damaged_the_sentence_says_what_to_install(
    monkeypatch, tmp_path
):
    home = tmp_path / "river" / "datasets"
    home.mkdir(parents=True)
    (home.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataUnavailable, match=r"run 'pip install --no-deps river==0\.26\.1'"):
        load(Segment(), tmp_path)
    with zipfile.ZipFile(home / "segment.csv.zip", "w") as packed:
        packed.writestr("segment.csv", "a,b\n1,2\n")
    with pytest.raises(DataUnavailable, match=r"could not be read as river's table .*force-reinst"):
        load(Segment(), tmp_path)


def test_the_classes_are_numbered_by_the_levels_and_not_by_first_appearance():
    found = examples(np.eye(3), np.array(["b", "c", "b"]), ["a", "b", "c"])
    assert found["y"].tolist() == [1, 2, 1]
    assert int(found["classes"]) == 3
