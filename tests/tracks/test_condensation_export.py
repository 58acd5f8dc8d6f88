"""A condensed set that is taken away: exact numbers, and a dataset that
Hugging Face's library reads.
"""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bench.errors import UsageError
from bench.runs.record import Record
from bench.tracks.condensation_export import export


@pytest.fixture
def record(tmp_path):
    generator = np.random.default_rng(0)
    arrays = {
        "x": generator.standard_normal((6, 3, 8, 8)).astype(np.float32),
        "y": np.arange(6) % 3,
        "mean": np.array([0.5, 0.4, 0.3], np.float32),
        "std": np.array([0.2, 0.2, 0.1], np.float32),
    }
    save_file(arrays, tmp_path / "arrays.safetensors")
    (tmp_path / "out").mkdir()
    record = Record(
        cell="c" * 32,
        key="d" * 32,
        track="condensation",
        method="dm",
        params={},
        task="condense-digits",
        task_params={},
        preset="default",
        variant="ipc2",
        seed=0,
        device="cpu",
        dtype="float32",
        form="single",
        status="ok",
        metrics={"acc": 87.654},
        started="",
        ended="",
    )
    return tmp_path, arrays, record


def test_hugging_face_s_library_reads_images_pixels_and_class_labels(record):
    import datasets

    folder, arrays, page = record
    out = folder / "out"
    export(page, folder / "arrays.safetensors", out)
    found = datasets.Dataset.from_parquet(
        str(out / "data" / "train-00000-of-00001.parquet"), cache_dir=str(folder / "cache")
    )
    assert type(found.features["label"]).__name__ == "ClassLabel"
    assert type(found.features["image"]).__name__ == "Image"
    assert found["label"][:] == arrays["y"].tolist()
    np.testing.assert_array_equal(
        np.array(found["pixels"][:], np.float32).reshape(6, 3, 8, 8), arrays["x"]
    )
    expected = (
        np.clip(
            arrays["x"] * arrays["std"][:, None, None] + arrays["mean"][:, None, None], 0, 1
        ).transpose(0, 2, 3, 1)
        * 255
    )
    assert (
        np.abs(
            np.stack([np.asarray(image) for image in found["image"][:]]).astype(float) - expected
        ).max()
        <= 0.5 + 1e-3
    )


def test_the_exact_numbers_and_a_card_are_there(record):
    folder, arrays, page = record
    out = folder / "out"
    export(page, folder / "arrays.safetensors", out)
    again = load_file(out / "set.safetensors")
    assert all(np.array_equal(again[name], value) for name, value in arrays.items())
    card = (out / "README.md").read_text()
    assert card.startswith("---\npretty_name: condense-digits condensed by dm\n")
    assert "6 images of 8x8 pixels in 3 classes" in card
    assert "87.7 % test accuracy" in card
    assert f"Record `{page.id}`" in card


def test_a_record_without_a_set_is_refused_in_a_sentence(record):
    folder, _, page = record
    save_file({"scores": np.zeros(3)}, folder / "other.safetensors")
    with pytest.raises(UsageError, match="holds no condensed set"):
        export(page, folder / "other.safetensors", folder / "out")
