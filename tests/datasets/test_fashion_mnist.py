"""Fashion-MNIST: every origin gives the arrays that the card pins, and what differs is refused."""

import gzip
import struct
import warnings

import numpy as np
import pytest
import torch
from bench.builtin.datasets.fashion_mnist import FashionMnist
from PIL import Image

from bench.errors import DataUnavailable, InvalidRun
from bench.plugins.cache_folder import cache_folder
from bench.plugins.source import Target
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.data_index import Want
from bench.runs.guard import fingerprint
from bench.runs.loading import check_pin

PREFIX = {"train": "train", "test": "t10k"}


@pytest.fixture(scope="module")
def arrays(real):
    """Pictures (n, 28, 28) and labels (n,) of both parts."""
    found = {split: real(FashionMnist(split=split)) for split in PREFIX}
    return {split: (data.x[:, 0].numpy(), data.y.numpy()) for split, data in found.items()}


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An empty folder of local datasets, a cache of its own, no package of the system, no hub."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    monkeypatch.delenv("BENCH_HUB", raising=False)
    return tmp_path / "data" / "fashion-mnist"


def load(tmp_path, split):
    return FashionMnist(split=split).load(
        Setup(
            seed=0,
            task="t",
            method="m",
            device=torch.device("cpu"),
            workdir=tmp_path,
            artifacts=Artifacts(cache_folder()),
        )
    )


def check(found, split):
    """Hold a load against the card's pin, as a worker does."""
    want = Want(
        name="fashion-mnist",
        params={} if split == "train" else {"split": split},
        target=Target("", "", ""),
        code=[],
        versions={},
        device="cpu",
        had="hub",
        stream=("t", 0),
    )
    check_pin(FashionMnist.card, want, fingerprint(found))


def write_idx(folder, split, x, y, suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in (("images-idx3", x), ("labels-idx1", y)):
        values = np.ascontiguousarray(values, dtype=np.uint8)
        content = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        content += values.tobytes()
        path = folder / f"{PREFIX[split]}-{name}-ubyte{suffix}"
        path.write_bytes(gzip.compress(content, 1) if suffix else content)


def as_table(library, x, y, **image):
    features = library.Features(
        {"image": library.Image(**image), "label": library.ClassLabel(num_classes=10)}
    )
    columns = {"image": [Image.fromarray(picture) for picture in x], "label": y.tolist()}
    return library.Dataset.from_dict(columns, features=features)


@pytest.fixture(scope="module")
def library():
    """Hugging Face's library, quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets
    datasets.disable_progress_bars()
    return datasets


# What it holds ----------------------------------------------------------------------


def test_it_has_as_many_pictures_of_each_class_and_the_mean_and_spread_that_papers_print(arrays):
    for split, rows in (("train", 60_000), ("test", 10_000)):
        x, y = arrays[split]
        assert (x.shape, x.dtype) == ((rows, 28, 28), np.uint8)
        assert np.bincount(y).tolist() == [rows // 10] * 10
    counts = torch.from_numpy(arrays["train"][0]).flatten().bincount(minlength=256).double()
    share, grey = counts / counts.sum(), torch.arange(256) / 255
    mean = float((share * grey).sum())
    spread = float((share * (grey - mean) ** 2).sum()) ** 0.5
    assert (mean, spread) == pytest.approx((0.2860, 0.3530), abs=5e-5)


def test_no_picture_comes_twice_and_no_test_picture_is_a_training_picture(arrays):
    seen = {picture.tobytes() for x, _ in arrays.values() for picture in x}
    assert len(seen) == 70_000


# Origins ----------------------------------------------------------------------------


@pytest.mark.parametrize("home", ["", "raw", "FashionMNIST/raw"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_give_the_pinned_arrays_wherever_they_lie(arrays, alone, tmp_path, home, suffix):
    splits = ("test",) if suffix else ("train", "test")
    for split in splits:
        write_idx(alone / home, split, *arrays[split], suffix)
        check(load(tmp_path, split), split)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_package_of_the_system_gives_the_pinned_arrays(arrays, alone, tmp_path, split):
    write_idx(tmp_path / "share" / "datasets" / "fashion-mnist", split, *arrays[split])
    check(load(tmp_path, split), split)


def test_a_local_folder_comes_before_the_package_of_the_system(arrays, alone, tmp_path):
    x, y = arrays["test"]
    write_idx(tmp_path / "share" / "datasets" / "fashion-mnist", "test", x, y)
    write_idx(alone, "test", x[:20], y[:20])
    assert len(load(tmp_path, "test").y) == 20
    # what is there and incomplete is said, and nothing else is taken in its place
    with pytest.raises(DataUnavailable, match=r"has no split 'train' .* train-images-idx3-ubyte"):
        load(tmp_path, "train")


def test_parquet_files_and_a_saved_dictionary_give_the_pinned_arrays(
    arrays, alone, tmp_path, library, monkeypatch
):
    made = as_table(library, *arrays["test"])
    (alone / "fashion_mnist").mkdir(parents=True)
    made.to_parquet(alone / "fashion_mnist" / "test-00000-of-00001.parquet")
    check(load(tmp_path, "test"), "test")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "saved"))
    library.DatasetDict({"test": made}).save_to_disk(tmp_path / "saved" / "fashion-mnist")
    check(load(tmp_path, "test"), "test")


# What is no copy of it --------------------------------------------------------------


def one_pixel(x, y):
    x = x.copy()
    x[3, 14, 14] += 1
    return x, y


CHANGES = {
    "labels a row later": lambda x, y: (x, np.roll(y, 1)),
    "transposed": lambda x, y: (x.transpose(0, 2, 1), y),
    "one pixel": one_pixel,
    "sorted by class": lambda x, y: (x[np.argsort(y, kind="stable")], np.sort(y)),
    "a row less": lambda x, y: (x[:-1], y[:-1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_differs_in_anything_is_refused_by_the_pin_of_its_part(
    arrays, alone, tmp_path, change
):
    for split in PREFIX:
        write_idx(alone, split, *change(*arrays[split]))
        with pytest.raises(InvalidRun, match="its card says"):
            check(load(tmp_path, split), split)


def test_pictures_of_three_channels_are_refused(arrays, alone, tmp_path, library):
    x, y = arrays["test"]
    made = as_table(library, np.repeat(x[:20, :, :, None], 3, 3), y[:20])
    alone.mkdir(parents=True)
    made.to_parquet(alone / "test-00000-of-00001.parquet")
    with pytest.raises(DataUnavailable, match="of the kind 'RGB', where all of them are grey"):
        load(tmp_path, "test")


def test_where_it_is_not_the_sentence_says_how_to_have_it(alone, tmp_path):
    with pytest.raises(DataUnavailable) as told:
        load(tmp_path, "train")
    for part in (
        "run 'apt-get install dataset-fashion-mnist' (31 MB, MIT)",
        str(alone),
        "IDX files or Parquet files",
        "BENCH_HUB=1",
    ):
        assert part in str(told.value)
