"""Prompts as sources, by small word vectors."""

import itertools

import numpy as np
import pytest
import torch
from bench.builtin.tasks.weak_supervision import _prompts, weak_prompts
from bench.builtin.tasks.weak_supervision._words import NAMES, votes_of
from bench.builtin.tasks.weak_supervision.weak_prompts import WeakPrompts
from positive_small import Deaf

from bench.runs.context import Setup
from bench.tracks.weak_supervision import Sentences, WordVectors


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


class _Serving(Deaf):
    """Serves word vectors, and sentences of three words that count as many good words as bad."""

    def __init__(self, vectors):
        texts = [" ".join(own) for own in itertools.product(("good", "bad", "great"), repeat=3)]
        rating = [own.count("g") - 1.5 * own.count("bad") for own in texts]
        lexicon = torch.tensor([4.0, -2, 0]).repeat(9)
        self.held = {
            "word-vectors": vectors,
            "review-sentences": Sentences(tuple(texts), torch.tensor(rating), lexicon),
        }

    def dataset(self, run, name, params):
        return self.held[name]


def test_prompts_vote_on_the_training_rows_alone_or_behind_the_lists_of_words(
    vectors, monkeypatch, tmp_path
):
    for module in (_prompts, weak_prompts):
        monkeypatch.setattr(module, "PROMPTS", {"p": ("good film", "bad film"), "q": ("great", "")})
    tools = _Serving(vectors)

    def made():
        return Setup(
            seed=0,
            task="weak-supervision/weak-prompts",
            method="m",
            device=torch.device("cpu"),
            workdir=tmp_path,
            tools=tools,
        )

    sizes = {"n_test": 5, "vocabulary": 4, "n_dev": 3, "silent": 0.2}
    data = tools.held["review-sentences"]
    clear = np.flatnonzero(abs(data.rating.numpy()) >= 0.5)
    train = made().numpy_generator("split").permutation(clear)[5:]
    texts = [data.texts[row] for row in train]
    alone = WeakPrompts(**sizes).prepare(made())
    problem, wanted = alone.problems[0], _prompts.prompted(vectors, texts, 0.2)
    assert problem.names == ("p", "q")
    assert problem.votes.tolist() == wanted.tolist()
    assert alone.hidden.y.tolist() == (data.rating[train] > 0).int().tolist()
    assert len(alone.hidden.y_test) == 5
    problem = WeakPrompts(**sizes, sources="both").prepare(made()).problems[0]
    assert problem.names == (*NAMES, "p", "q")
    words = votes_of(texts, data.lexicon.numpy()[train])
    assert problem.votes.tolist() == np.concatenate([words, wanted], 1).tolist()
