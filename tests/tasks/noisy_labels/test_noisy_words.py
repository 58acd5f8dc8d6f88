"""Training on one person's labels: the problem of vader-ratings, judged by accuracy."""

import pytest
import torch
from bench.builtin.datasets.vader import Vader
from bench.builtin.tasks.label_errors.vader_ratings import VaderRatings
from bench.builtin.tasks.noisy_labels.noisy_words import NoisyWords
from real_runs import outcome
from serving import Serving

from bench import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup


@pytest.fixture
def setup(tmp_path):
    data = []

    def make(seed=0):
        run = Setup(
            seed=seed,
            task="noisy-labels/noisy-words",
            method="m",
            device=torch.device("cpu"),
            workdir=tmp_path,
            tools=Serving(data[0] if data else None),
            artifacts=Artifacts(tmp_path / "cache"),
        )
        if not data:
            data.append(Vader().load(run))
            return make(seed)
        return run

    return make


def test_the_words_raters_and_test_part_are_those_of_vader_ratings(setup):
    mine = NoisyWords(noise="human", n_train=600).prepare(setup())
    theirs = VaderRatings(n_train=600).prepare(setup())
    for name in ("x", "y", "noise_rate"):
        one, other = (getattr(case.problems[0], name) for case in (mine, theirs))
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))
    assert torch.equal(mine.hidden.x_test, theirs.hidden.x_test)
    assert torch.equal(mine.hidden.y_true, theirs.hidden.y_true)


def test_the_chance_on_the_card_is_the_share_of_the_most_frequent_class(setup):
    shares = []
    for seed in range(100, 105):
        y = NoisyWords(noise="human").prepare(setup(seed)).hidden.y_test
        shares.append(100 * float(y.bincount().max()) / len(y))
    primary = next(metric for metric in NoisyWords.card.metrics if metric.primary)
    assert sum(shares) / len(shares) == pytest.approx(primary.chance, abs=1.5)


def test_held_out_words_are_judged_by_their_given_labels(setup):
    whole = NoisyWords(noise="human", n_train=600).prepare(setup()).problems[0]
    case = NoisyWords(noise="human", n_train=600, holdout=0.2).prepare(setup())
    assert (len(case.problems[0].y), len(case.hidden.y_test)) == (480, 120)
    known = {tuple(row) for row in whole.x.flatten(1).tolist()}
    assert {tuple(row) for row in case.hidden.x_test.flatten(1).tolist()} <= known
    labels = torch.cat([case.problems[0].y, case.hidden.y_test])
    assert torch.equal(labels.bincount(), whole.y.bincount())


def test_made_noise_is_refused_with_a_sentence(setup):
    with pytest.raises(InvalidRun, match="noise=sym would not change them"):
        NoisyWords(noise="sym").prepare(setup())


def test_the_smoke_preset_runs_and_reports_what_noisy_labels_do(capsys, tmp_path):
    code, out, err = outcome(
        capsys,
        "--method",
        "ce,knn",
        "--task",
        "noisy-words",
        "--preset",
        "smoke",
        "--no-flops",
        "--results",
        tmp_path,
    )
    assert code == 0, err
    assert "### noisy-words · human" in out
