"""Pictures from a local copy of a hub dataset: the layouts, the fields, the order, the cache, and
what is said when something is missing.
"""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.builtin.datasets.cifar10 import Cifar10
from bench.builtin.datasets.cifar100 import Cifar100
from bench.builtin.datasets.svhn import Svhn
from PIL import Image

from bench.errors import DataUnavailable
from bench.plugins.cache_folder import cache_folder
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.training import hub

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def library():
    """Hugging Face's library, quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets
    datasets.disable_progress_bars()
    return datasets


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder of local datasets, a cache of its own, and no hub."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_HUB", raising=False)
    return tmp_path / "data"


@pytest.fixture
def load(tmp_path):
    def make(dataset):
        return dataset.load(
            Setup(
                seed=0,
                task="t",
                method="m",
                device=CPU,
                workdir=tmp_path,
                artifacts=Artifacts(cache_folder()),
            )
        )

    return make


def made(count, classes, seed=0, side=32):
    """Made-up pictures and labels: every class once, then at random."""
    generator = np.random.default_rng(seed)
    y = np.concatenate(
        [np.arange(classes), generator.integers(0, classes, max(0, count - classes))]
    )[:count]
    return generator.integers(0, 256, (count, side, side, 3), dtype=np.uint8), y


def table(library, x, labels, image="img"):
    features = {image: library.Image()} | {
        name: library.ClassLabel(num_classes=classes) for name, (_, classes) in labels.items()
    }
    columns = {image: [Image.fromarray(picture) for picture in x]} | {
        name: values.tolist() for name, (values, _) in labels.items()
    }
    return library.Dataset.from_dict(columns, features=library.Features(features))


def parquet(dataset, folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for shard, name in enumerate(names):
        dataset.shard(len(names), shard, contiguous=True).to_parquet(folder / name)


def test_parquet_files_in_the_hub_s_layout_come_back_as_they_were_in_the_order_of_the_shards(
    library, home, load
):
    x, y = made(25, 10)
    parquet(
        table(library, x, {"label": (y, 10)}),
        home / "cifar10" / "plain_text",
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    )
    parquet(
        table(library, x[:5], {"label": (y[:5], 10)}),
        home / "cifar10" / "plain_text",
        "test-00000-of-00001.parquet",
    )
    train, test = load(Cifar10()), load(Cifar10(split="test"))
    assert (train.x.dtype, tuple(train.x.shape), train.y.dtype, train.classes) == (
        torch.uint8,
        (25, 3, 32, 32),
        torch.int64,
        10,
    )
    np.testing.assert_array_equal(train.x.permute(0, 2, 3, 1).numpy(), x)
    np.testing.assert_array_equal(train.y.numpy(), y)
    np.testing.assert_array_equal(test.y.numpy(), y[:5])


def test_a_saved_dataset_dict_is_read_too(library, home, load):
    x, y = made(12, 10)
    library.DatasetDict({"train": table(library, x, {"label": (y, 10)}, "image")}).save_to_disk(
        home / "svhn"
    )
    found = load(Svhn())
    np.testing.assert_array_equal(found.x.permute(0, 2, 3, 1).numpy(), x)
    np.testing.assert_array_equal(found.y.numpy(), y)


def test_of_two_label_fields_the_fine_one_is_taken(library, home, load):
    x, fine = made(110, 100)
    coarse = fine // 5
    parquet(
        table(library, x, {"coarse_label": (coarse, 20), "fine_label": (fine, 100)}),
        home / "cifar100",
        "train-00000-of-00001.parquet",
    )
    found = load(Cifar100())
    assert found.classes == 100
    np.testing.assert_array_equal(found.y.numpy(), fine)


def test_the_second_load_does_not_parse_and_a_changed_file_is_parsed_anew(
    library, home, load, monkeypatch
):
    x, y = made(12, 10)
    parquet(table(library, x, {"label": (y, 10)}), home / "cifar10", "train-00000-of-00001.parquet")
    first = load(Cifar10())
    with monkeypatch.context() as patch:
        patch.setattr(hub, "_parsed", lambda *_: 1 / 0)
        assert torch.equal(load(Cifar10()).x, first.x)
    parquet(
        table(library, x[::-1], {"label": (y, 10)}),
        home / "cifar10",
        "train-00000-of-00001.parquet",
    )
    assert not torch.equal(load(Cifar10()).x, first.x)


# What is said when something is missing ---------------------------------------------


def test_without_a_copy_the_message_names_the_folder_the_repository_and_both_variables(home, load):
    with pytest.raises(DataUnavailable) as told:
        load(Cifar10())
    for part in (str(home / "cifar10"), "uoft-cs/cifar10", "BENCH_DATA", "BENCH_HUB=1"):
        assert part in str(told.value)


def test_a_folder_without_the_split_is_told_apart_from_a_missing_one(library, home, load):
    x, y = made(12, 10)
    parquet(table(library, x, {"label": (y, 10)}), home / "cifar10", "train-00000-of-00001.parquet")
    with pytest.raises(DataUnavailable, match="has no split 'test' of 'cifar10'"):
        load(Cifar10(split="test"))


def test_a_damaged_file_is_a_sentence_and_no_traceback_of_the_reader(home, load):
    (home / "cifar10").mkdir(parents=True)
    (home / "cifar10" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataUnavailable, match=r"could not be read in .* get a fresh copy"):
        load(Cifar10())


def test_fields_that_are_missing_or_ambiguous_are_named(library, home, load):
    x, y = made(12, 10)
    parquet(
        table(library, x, {"one": (y, 10), "two": (y, 10)}), home / "cifar10", "train-0.parquet"
    )
    with pytest.raises(
        DataUnavailable, match="2 fields that could be its label; its fields are img, one, two"
    ):
        load(Cifar10())
    parquet(
        library.Dataset.from_dict({"text": ["a"], "label": [0]}), home / "svhn", "train-0.parquet"
    )
    with pytest.raises(DataUnavailable, match="no picture field; its fields are text, label"):
        load(Svhn())


def test_pictures_of_different_sizes_are_refused(library, home, load):
    both = [*made(1, 1)[0], *made(1, 1, side=16)[0]]
    parquet(
        table(library, both, {"label": (np.array([0, 0]), 10)}), home / "cifar10", "train-0.parquet"
    )
    with pytest.raises(DataUnavailable, match="different sizes"):
        load(Cifar10())


def test_the_hub_is_asked_only_when_allowed_and_its_failure_is_a_sentence(home, load, monkeypatch):
    class Library:
        @staticmethod
        def load_dataset(*arguments, **options):
            assert (arguments, options) == (("uoft-cs/cifar10", "plain_text"), {"split": "train"})
            raise ConnectionError("no route to the hub")

    monkeypatch.setattr(hub, "_library", lambda: Library)
    monkeypatch.setenv("BENCH_HUB", "1")
    with pytest.raises(
        DataUnavailable,
        match=r"could not be read from uoft-cs/cifar10 on the Hugging Face hub "
        r"\(ConnectionError: no route",
    ):
        load(Cifar10())


def test_our_folder_does_not_hide_hugging_face_s_library_at_the_root():
    script = (
        "import datasets; print(hasattr(datasets, 'load_dataset'), hasattr(datasets, 'cifar10'))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "False"]
