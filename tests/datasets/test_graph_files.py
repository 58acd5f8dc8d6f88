"""Graphs from files in the layouts of OGB, TUDataset and GOOD, written
here by hand, and digits as superpixels.
"""

import shutil
import zipfile

import numpy as np
import pandas
import pytest
import torch
from bench.builtin.datasets._graph_sets import folder_of, labels
from bench.builtin.datasets.digits75sp import enlarged, superpixels
from bench.builtin.datasets.good import Good
from bench.builtin.datasets.ogb import Ogb
from bench.builtin.datasets.tu import Tu

from bench.errors import BenchError, DataUnavailable
from bench.runs.context import Setup

PATH = np.array([[0, 1], [1, 2]])
TRIANGLE = np.array([[0, 1, 2], [1, 2, 0]])
NONE = np.zeros((2, 0), dtype=int)
SHAPES = [(3, PATH), (1, NONE), (3, TRIANGLE), (4, np.array([[0, 0], [1, 0]])), (2, NONE)]
"""A path, one node, a triangle, a graph with a loop, two nodes without an edge at the end."""
COUNTS = [4, 0, 6, 2, 0]
"""Stored directions of their edges, without the loop."""


@pytest.fixture
def load(tmp_path, graph_library):
    return lambda dataset: dataset.load(
        Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)
    )


def write_ogb(home, name, y, part):
    folder = home / f"ogbg_mol{name}"
    for place in ("raw", "split/scaffold"):
        (folder / place).mkdir(parents=True)

    def write(place, values):
        pandas.DataFrame(values).to_csv(folder / f"{place}.csv.gz", header=False, index=False)

    write("raw/num-node-list", [n for n, _ in SHAPES])
    write("raw/num-edge-list", [edges.shape[1] for _, edges in SHAPES])
    write("raw/node-feat", [[5 + 2 * (k % 2), 0, k % 3] for n, _ in SHAPES for k in range(n)])
    write("raw/edge", np.concatenate([edges for _, edges in SHAPES], 1).T)
    write("raw/graph-label", y)
    for number, kind in enumerate(("train", "valid", "test")):
        write(f"split/scaffold/{kind}", np.flatnonzero(np.array(part) == number))
    return folder


def write_tu(folder, name, nodes=True):
    folder.mkdir(parents=True)
    starts = np.cumsum([0, *[n for n, _ in SHAPES]])
    edges = np.concatenate(
        [
            np.concatenate([ends, ends[::-1]], 1) + start
            for (_, ends), start in zip(SHAPES, starts, strict=False)
        ],
        1,
    )
    np.savetxt(folder / f"{name}_A.txt", edges.T + 1, fmt="%d", delimiter=", ")
    np.savetxt(
        folder / f"{name}_graph_indicator.txt",
        np.repeat(np.arange(5), [n for n, _ in SHAPES]) + 1,
        fmt="%d",
    )
    np.savetxt(folder / f"{name}_graph_labels.txt", [1, -1, 1, 1, -1], fmt="%d")
    if nodes:
        np.savetxt(
            folder / f"{name}_node_labels.txt",
            [3 + k % 2 for n, _ in SHAPES for k in range(n)],
            fmt="%d",
        )


def write_good(home, library, counts=(3, 2, 2, 2, 2)):
    folder = home / "GOODMotif" / "basis" / "processed"
    folder.mkdir(parents=True)
    y = iter([0, 2, 1, 1, 0, 2, 2, 0, 1, 0, 2])
    for part, count in zip(("train", "id_val", "id_test", "val", "test"), counts, strict=True):
        data = []
        for n, edges in SHAPES[:count]:
            data.append(
                library.data.Data(
                    x=torch.ones(n, 1),
                    edge_index=torch.from_numpy(edges),
                    y=torch.tensor([next(y)]),
                    env_id=torch.tensor([n]),
                )
            )
        torch.save(library.data.InMemoryDataset.collate(data), folder / f"covariate_{part}.pt")
    return folder


def test_ogb_s_files_are_read_with_their_parts_and_missing_answers(home, load):
    write_ogb(home, "tox21", [[1, np.nan], [0, 1], [np.nan, 0], [1, 1], [0, 0]], [0, 2, 0, 1, 0])
    data = load(Ogb(subset="tox21"))
    assert data.graphs.nodes.tolist() == [3, 1, 3, 4, 2]
    assert data.graphs.sizes.tolist() == COUNTS
    assert (data.y.dtype, data.y.tolist()) == (
        torch.int8,
        [[1, -1], [0, 1], [-1, 0], [1, 1], [0, 0]],
    )
    assert data.part.tolist() == [0, 2, 0, 1, 0]
    # two, one and three codes occur
    assert data.graphs.x[:3].tolist() == [
        [1, 0, 1, 1, 0, 0],
        [0, 1, 1, 0, 1, 0],
        [1, 0, 1, 0, 0, 1],
    ]


def test_ogb_s_numbers_stay_numbers(home, load):
    write_ogb(home, "esol", [[0.5], [-1.25], [2.0], [3.0], [1.0]], [0, 1, 2, 0, 0])
    assert load(Ogb(subset="esol")).y.tolist() == [[0.5], [-1.25], [2.0], [3.0], [1.0]]


@pytest.mark.parametrize("nodes", [True, False])
@pytest.mark.parametrize("place", ["TINY", "TINY/raw"])
def test_tu_s_files_are_read_with_node_labels_or_without(home, load, nodes, place):
    write_tu(home / place, "TINY", nodes)
    data = load(Tu(subset="TINY"))
    assert data.graphs.nodes.tolist() == [3, 1, 3, 4, 2]
    assert data.graphs.sizes.tolist() == COUNTS
    assert data.y.tolist() == [1, 0, 1, 1, 0]
    assert data.graphs.x[:3].tolist() == ([[1, 0], [0, 1], [1, 0]] if nodes else [[1], [1], [1]])


def test_good_s_files_are_read_part_by_part_with_environments_in_training(
    home, load, graph_library
):
    write_good(home, graph_library)
    data = load(Good())
    assert data.part.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert data.y.tolist() == [0, 2, 1, 1, 0, 2, 2, 0, 1, 0, 2]
    assert data.env.tolist() == [3, 1, 3, *[-1] * 8]
    assert data.graphs.nodes.tolist() == [3, 1, 3, *[3, 1] * 4]
    assert data.graphs.sizes.tolist() == [4, 0, 6, *[4, 0] * 4]


def test_a_file_that_would_run_code_is_refused(home, load, graph_library):
    folder = write_good(home, graph_library)
    torch.save((pandas.DataFrame([1]), {}), folder / "covariate_test.pt")
    with pytest.raises(
        DataUnavailable,
        match=r"covariate_test\.pt' holds no collated graphs that can be read safely",
    ):
        load(Good())


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (
            Ogb(subset="bace"),
            r"'ogbg_molbace'.*unpack https://snap\.stanford\.edu/.*bace\.zip there, or set "
            r"BENCH_HUB=1",
        ),
        (
            Tu(subset="DD"),
            r"'DD'.*unpack https://www\.chrsmrrs\.com/.*DD\.zip there, or set BENCH_HUB=1",
        ),
        (Good(), r"'GOODMotif'.*load GOODMotif once with the library of divelab/GOOD and copy"),
    ],
    ids=["ogb", "tu", "good"],
)
def test_what_is_not_there_is_said_with_the_way_to_get_it(home, load, dataset, words):
    with pytest.raises(DataUnavailable, match=words):
        load(dataset)


def test_a_folder_that_lacks_a_file_names_it(home, load, graph_library):
    (write_ogb(home, "bace", [[1.0]] * 5, [0] * 5) / "raw" / "edge.csv.gz").unlink()
    (write_good(home, graph_library) / "covariate_val.pt").unlink()
    (home / "DD").mkdir()
    for dataset, name in (
        (Ogb(), "edge.csv.gz"),
        (Good(), "covariate_val.pt"),
        (Tu(subset="DD"), "DD_A.txt"),
    ):
        with pytest.raises(DataUnavailable, match=f"{name}' is missing"):
            load(dataset)


@pytest.mark.parametrize(
    "dataset", [Ogb(subset="../secret"), Tu(subset="../secret")], ids=["ogb", "tu"]
)
def test_a_subset_that_is_no_name_is_refused(load, dataset):
    with pytest.raises(BenchError, match="like"):
        load(dataset)


def test_a_set_is_fetched_where_that_is_allowed_and_whole_or_not_at_all(
    home, load, graph_library, tmp_path, monkeypatch
):
    write_tu(tmp_path / "source" / "TINY", "TINY")
    with zipfile.ZipFile(tmp_path / "TINY.zip", "w") as archive:
        for file in sorted((tmp_path / "source").rglob("*.txt")):
            archive.write(file, file.relative_to(tmp_path / "source"))
    url = f"file://{tmp_path}/TINY.zip"
    with pytest.raises(DataUnavailable, match="set BENCH_HUB=1"):
        folder_of("TINY", url)
    monkeypatch.setenv("BENCH_HUB", "1")
    with pytest.raises(DataUnavailable, match=r"fetching file:.* failed"):
        folder_of("TINY", url + "x")
    assert list(home.iterdir()) == []
    assert folder_of("TINY", url) == home / "TINY"
    assert [path.name for path in home.iterdir()] == ["TINY"]
    assert load(Tu(subset="TINY")).graphs.sizes.tolist() == COUNTS
    shutil.rmtree(home / "TINY")


def test_labels_are_told_apart_by_what_they_hold():
    assert labels(np.array([[7], [3], [7]])).tolist() == [1, 0, 1]
    assert labels(np.array([[1.0], [np.nan]])).tolist() == [[1], [-1]]
    assert labels(np.array([[1.0], [0.5]])).dtype == torch.float32


def test_superpixels_cover_a_picture_and_join_near_centres():
    pytest.importorskip("skimage")
    image = np.zeros((8, 8))
    image[2:6, 3:5] = 1.0
    x, edges = superpixels(enlarged(image))
    assert 20 <= len(x) <= 75
    assert x.min() >= 0
    assert x.max() <= 1
    assert 0 < x[:, 0].mean() < 0.5
    assert np.bincount(edges[0]).tolist() == [8] * len(x)
    lengths = np.linalg.norm(x[:, None, 1:] - x[None, :, 1:], axis=-1)
    furthest = np.sort(lengths, 1)[:, 8]
    assert (lengths[edges[0], edges[1]] <= furthest[edges[0]] + 1e-9).all()
