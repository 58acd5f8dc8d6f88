"""Answers of a language model as sources, by one of two layers with random weights."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.review_sentences import ReviewSentences
from bench.builtin.datasets.smollm2 import SmolLM2
from bench.builtin.tasks.weak_supervision import _answers, weak_answers
from bench.builtin.tasks.weak_supervision._words import NAMES
from bench.builtin.tasks.weak_supervision.weak_answers import WeakAnswers
from policy_language import library, save_model
from positive_small import Deaf

from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.tracks.weak_supervision import Sentences

ASKED = {
    "good?": ("Good?", "yes", "no"),
    "dull?": ("Is it dull?", "fine", "bad"),
    "see?": ("Will you see it?", "sure", "never"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a model of random weights, whose answers differ from text to text."""
    library("transformers")
    from bench.tracks.policy_optimization.language_model import LanguageModel

    folder = save_model(
        tmp_path_factory.mktemp("answers"),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.3,
    )
    return LanguageModel.load(str(folder), torch.device("cpu"))


@pytest.fixture(autouse=True)
def _few_questions(monkeypatch, request):
    if request.node.get_closest_marker("slow"):
        return
    for module in (_answers, weak_answers):
        monkeypatch.setattr(module, "QUESTIONS", ASKED)


def asked_alone(model, text):
    """Return the log odds (3,) about one text, every question a pass of its own."""
    found = []
    for question, good, bad in ASKED.values():
        whole = f"Review: {text}".rstrip() + f"\n{question}\nAnswer:"
        tokens = torch.tensor([model.tokenizer(whole)["input_ids"]])
        said = model.net(tokens).logits[0, -1].log_softmax(-1)
        first, second = (model.tokenizer(word)["input_ids"][0] for word in (good, bad))
        found.append(float(said[first] - said[second]))
    return found


def test_answers_are_those_of_every_question_asked_alone(model, monkeypatch):
    texts = ["a great film", "so dull", "", "it moves, and then it does not move at all", "fun"]
    with torch.no_grad():
        wanted = torch.tensor([asked_alone(model, text) for text in texts])
    assert float(wanted.std(0).min()) > 1e-2
    # where batches end, and so how far a text is padded, is no matter
    for batch in (2, 32):
        monkeypatch.setattr(_answers, "_BATCH", batch)
        torch.testing.assert_close(_answers.answered(model, texts), wanted, rtol=0, atol=1e-4)


def test_a_source_says_good_above_its_centre_bad_below_and_nothing_of_the_nearest():
    odds = np.array([[3.0], [1.0], [1.2], [-2.0], [0.4]])
    votes = _answers.votes_of_odds(odds, np.array([1.0]), silent=0.25)
    assert votes[:, 0].tolist() == [1, -1, -1, 0, 0]
    without = _answers.votes_of_odds(odds, np.array([1.0]), silent=0.0)
    assert without[:, 0].tolist() == [1, -1, 1, 0, 0]


class _Serving(Deaf):
    def dataset(self, run, name, params):
        if name == "smollm2-135m":
            return self
        signs = torch.arange(60) % 2 * 2.0 - 1
        return Sentences(tuple(f"film {row} {'!' * (row % 3)}" for row in range(60)), signs, signs)

    content = torch.zeros(4, dtype=torch.uint8)


def test_all_seeds_share_the_answers_and_both_kinds_of_sources_stand_side_by_side(
    model, monkeypatch, tmp_path
):
    opened = []
    monkeypatch.setattr(_answers, "opened", lambda content, device: opened.append(1) or model)

    def voted(task, seed):
        run = Setup(
            seed=seed,
            task="weak-supervision/weak-answers",
            method="m",
            device=torch.device("cpu"),
            workdir=tmp_path,
            tools=_Serving(),
            artifacts=Artifacts(tmp_path / "cache"),
        )
        return task.voted(run)

    sizes = {"n_test": 20, "vocabulary": 10, "n_dev": 5}
    prompts = voted(WeakAnswers(**sizes), 0)
    assert prompts.names == tuple(ASKED)
    silent = (prompts.votes < 0).double().mean(0)
    assert bool(((silent >= 0.2) & (silent < 0.5)).all())
    good = (prompts.votes == 1).sum(0) / (prompts.votes >= 0).sum(0)
    assert bool(((good > 0.3) & (good < 0.7)).all())
    empty = voted(WeakAnswers(**sizes, centre="empty"), 0)
    assert not torch.equal(empty.votes, prompts.votes)
    both = voted(WeakAnswers(**sizes, sources="both"), 0)
    assert both.names == (*NAMES, *ASKED)
    assert torch.equal(both.votes[:, len(NAMES) :], prompts.votes)
    assert not torch.equal(voted(WeakAnswers(**sizes), 1).votes, prompts.votes)
    assert len(opened) == 1
    few = voted(WeakAnswers(**sizes, n_train=15), 0)
    assert few.votes.shape == (15, 3)
    assert len(opened) == 2


@pytest.mark.slow
def test_the_smoke_preset_asks_the_model_of_the_wheel_and_its_votes_are_scored(run_plan, real):
    library("transformers")
    real(ReviewSentences())
    real(SmolLM2())
    records = run_plan(
        paths=[], methods=("majority", "one-coin"), tasks=("weak-answers",), preset="smoke",
        device="cpu",
    ).records  # fmt: skip
    assert {record.method: record.status for record in records} == {
        "majority": "ok",
        "one-coin": "ok",
    }
    for record in records:
        assert 0 < record.metrics["coverage"] <= 100
        assert 0 <= record.metrics["end_acc"] <= 100
