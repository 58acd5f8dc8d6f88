"""IDX files: what is read, and that anything else is refused with the file's name."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
import torch

from bench.errors import DataUnavailable
from bench.training import idx

X = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
Y = np.array([0, 2, 1, 0], dtype=np.uint8)


def header(*sizes, kind=8):
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, kind, len(sizes), *sizes)


def pack(values):
    return header(*values.shape) + values.tobytes()


@pytest.fixture
def write(tmp_path):
    def call(content, name="train-images-idx3-ubyte"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return call


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_pictures_and_labels_come_back_as_they_were_written(write, suffix):
    found = idx.examples(
        write(pack(X), f"train-images-idx3-ubyte{suffix}"),
        write(pack(Y), f"train-labels-idx1-ubyte{suffix}"),
    )
    assert (found["x"].dtype, found["y"].dtype) == (torch.uint8, torch.int64)
    np.testing.assert_array_equal(found["x"][:, 0].numpy(), X)
    assert found["y"].tolist() == [0, 2, 1, 0]
    assert int(found["classes"]) == 3


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it begins with nothing, where 00 00 08 03 is wanted"),
        (header(4, 2, 3, kind=13) + X.tobytes(), "it begins with 00 00 0d 03"),
        (pack(Y), r"00 00 08 01, where 00 00 08 03 is wanted \(unsigned bytes on 3 axes\)"),
        (header(4, 2, 3)[:9], "it ends within its header"),
        (pack(X)[:-1], "its header says 24 values, and there are 23"),
        (pack(X) + b"!", "its header says 24 values, and there are more"),
        (header(2**20, 2**20, 1), "1,099,511,627,776 values, and at most"),
    ],
    ids=["empty", "another type", "labels", "half a header", "short", "long", "huge"],
)
def test_anything_else_is_refused_with_the_name_of_the_file(write, content, said, suffix):
    path = write(content, f"train-images-idx3-ubyte{suffix}")
    with pytest.raises(DataUnavailable, match=said) as told:
        idx.read(path, 3)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("change", [lambda packed: packed[:-9], lambda packed: b"PK" + packed])
def test_a_damaged_gzip_file_is_refused(write, change):
    path = write(pack(X), "train-images-idx3-ubyte.gz")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataUnavailable, match="could not be read as an IDX file"):
        idx.read(path, 3)


def test_of_a_gzip_bomb_no_more_is_unpacked_than_its_header_says(write):
    path = write(header(10) + bytes(1 << 28), "train-labels-idx1-ubyte.gz")
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(DataUnavailable, match="its header says 10 values, and there are more"):
            idx.read(path, 1)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [0, 3])
def test_each_picture_has_one_label(write, count):
    labels = write(pack(Y[:count]), "train-labels-idx1-ubyte")
    with pytest.raises(DataUnavailable, match=f"has 4 pictures and .* {count} labels"):
        idx.examples(write(pack(X)), labels)


@pytest.mark.parametrize("home", ["", "raw/", "FashionMNIST/raw/"])
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_the_files_are_found_in_the_folder_and_where_torchvision_puts_them(
    write, tmp_path, home, split, prefix
):
    assert idx.files(tmp_path, split) == []
    pictures = write(pack(X), f"{home}{prefix}-images-idx3-ubyte")
    assert idx.files(tmp_path, split) == []  # one of two
    labels = write(pack(Y), f"{home}{prefix}-labels-idx1-ubyte.gz")
    assert idx.files(tmp_path, split) == [pictures, labels]
    assert idx.files(tmp_path, "extra") == []
