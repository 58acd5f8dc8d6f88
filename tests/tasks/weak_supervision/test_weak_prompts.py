"""Prompts as sources, by small word vectors."""

import numpy as np
import pytest
import torch
from bench.builtin.tasks.weak_supervision import _prompts

from bench.tracks.weak_supervision import WordVectors


@pytest.fixture
def vectors():
    """Return vectors of five words: good words lie along the first axis, bad ones against it."""
    tokenizers = pytest.importorskip("tokenizers")
    words = {"[UNK]": 0, "good": 1, "bad": 2, "film": 3, "great": 4}
    cut = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    cut.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    table = torch.tensor([[0.0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0.8, 0.6, 0]])
    return WordVectors(table, cut.to_str())


def test_a_prompt_says_good_of_the_nearest_texts_and_nothing_of_those_in_the_middle(
    vectors, monkeypatch
):
    monkeypatch.setattr(_prompts, "PROMPTS", {"p": ("good film", "bad film")})
    texts = ["good", "great", "film", "what", "bad film", "bad"]
    votes = _prompts.prompted(vectors, texts, silent=0.4)
    assert votes[:, 0].tolist() == [1, 1, -1, -1, 0, 0]
    assert (_prompts.prompted(vectors, texts, silent=0.0) >= 0).mean() > 0.6


def test_a_text_without_a_known_piece_still_has_a_vector(vectors):
    found = _prompts._embedded(vectors, ["", "good"])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
