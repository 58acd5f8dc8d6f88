"""Word vectors: read from a small wheel of the same form."""

import zipfile

import pytest
import torch
from bench.builtin.datasets.word_vectors import TOKENIZER, VECTORS, Vectors
from safetensors.torch import save

from bench import DataUnavailable
from bench.runs.context import Setup


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Load the dataset from the folder of this test."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))

    def load():
        run = Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)
        return Vectors().load(run)

    return load


def test_vectors_and_tokenizer_are_those_of_the_wheel(loaded, tmp_path):
    (tmp_path / "word-vectors").mkdir()
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).half()
    place = tmp_path / "word-vectors" / "wordllama-0.4.0.post1-any.whl"
    with zipfile.ZipFile(place, "w") as wheel:
        wheel.writestr(VECTORS, save({"embedding.weight": table}))
        wheel.writestr(TOKENIZER, "{}")
    data = loaded()
    assert (data.vectors.dtype, data.tokenizer) == (torch.float32, "{}")
    assert torch.equal(data.vectors, table.float())
    place.write_bytes(place.read_bytes()[:60])
    with pytest.raises(DataUnavailable, match="could not be read as the wheel of wordllama"):
        loaded()


def test_without_the_wheel_a_sentence_says_how_to_have_it(loaded, tmp_path):
    with pytest.raises(DataUnavailable, match=rf"pip download .* -d {tmp_path}/word-vectors"):
        loaded()
