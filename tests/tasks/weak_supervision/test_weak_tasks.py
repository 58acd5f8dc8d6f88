"""The tasks: votes, what is hidden, the classifier on the labels, how labels are judged."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.breast_cancer import BreastCancer
from bench.builtin.tasks.weak_supervision._end_model import EndModel
from bench.builtin.tasks.weak_supervision._metrics import brier, label_accuracy
from bench.builtin.tasks.weak_supervision._words import BAD, GOOD, NAMES, votes_of
from bench.builtin.tasks.weak_supervision.weak_cancer import WeakCancer
from bench.builtin.tasks.weak_supervision.weak_generated import WeakGenerated
from bench.builtin.tasks.weak_supervision.weak_reviews import WeakReviews
from positive_small import Deaf

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import leaves
from bench.tracks.weak_supervision import Panel, Sentences, Solution, vote_shares

TEXTS = ("a great film", "so dull and not funny", "it moves", "fun, but slow")


class _Serving(Deaf):
    def __init__(self, folder):
        self.folder = folder

    def dataset(self, run, name, params):
        if name == "review-sentences":
            signs = torch.arange(80) % 2 * 2.0 - 1
            return Sentences(tuple(f"{TEXTS[row % 4]} {row}" for row in range(80)), signs, signs)
        return BreastCancer().load(
            Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=self.folder)
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weak")
    tools = _Serving(folder)

    def make(task, seed=0):
        return Setup(
            seed=seed,
            task=f"weak-supervision/{task.card.name}",
            method="weak-supervision/x",
            device=torch.device("cpu"),
            workdir=folder,
            tools=tools,
            artifacts=Artifacts(folder / "cache"),
        )

    return make


SMALL = (
    WeakGenerated(n_train=200, n_test=100, n_dev=20),
    WeakCancer(n_dev=20),
    WeakReviews(n_test=20, vocabulary=30, n_dev=5),
)


def scored(task, case, proba, run):
    outcome = Outcome(solution=Solution(proba=proba), curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], run)


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.card.name)
def test_only_the_labels_that_are_offered_are_in_the_problem_and_seeds_differ(made, task):
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    told = problem.dev_labels >= 0
    assert int(told.sum()) == task.n_dev
    assert torch.equal(problem.dev_labels[told], hidden.y[told])
    assert problem.class_prior.sum() == pytest.approx(1)
    for name, tensor in leaves(problem):
        if isinstance(tensor, torch.Tensor) and tensor.shape == hidden.y.shape:
            assert not torch.equal(tensor, hidden.y), name
    assert len(problem.names) == problem.votes.shape[1]
    other = task.prepare(made(task, 1)).hidden
    assert not torch.equal(other.y_test, hidden.y_test) or not torch.equal(other.y, hidden.y)


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.card.name)
def test_the_majority_closes_nothing_of_the_gap_and_true_labels_all_of_it(made, task):
    run = made(task)
    case = task.prepare(run)
    problem, hidden = case.problems[0], case.hidden
    low = scored(task, case, vote_shares(Panel([problem], [run]))[0].float(), run)
    high = scored(task, case, task.tell(problem, hidden, run).proba, run)
    assert low.metrics.keys() == {metric.name for metric in task.card.metrics}
    if high.metrics["gap_closed"] is not None:
        assert (low.metrics["gap_closed"], high.metrics["gap_closed"]) == (0, 100)
    assert (high.metrics["label_acc"], high.metrics["brier"]) == (100, 0)
    covered = (problem.votes >= 0).any(1).float().mean()
    assert high.metrics["coverage"] == pytest.approx(100 * float(covered))
    assert high.images["sources"].dtype == np.uint8


def test_votes_are_cast_and_right_as_often_as_asked_for_and_copies_are_copies(made):
    task = WeakGenerated(n_train=20_000, n_test=10, lowest=0.7, highest=0.7, copies=2, classes=3)
    case = task.prepare(made(task))
    votes, y = case.problems[0].votes, case.hidden.y
    assert votes.shape == (20_000, 10)
    cast = votes[:, :8] >= 0
    assert float(cast.double().mean()) == pytest.approx(0.4, abs=0.01)
    right = (votes[:, :8] == y[:, None])[cast].double().mean()
    assert float(right) == pytest.approx(0.7, abs=0.01)
    assert torch.equal(votes[:, 8], votes[:, 9])
    assert any(torch.equal(votes[:, 8], own) for own in votes[:, :8].T)


def test_a_measurement_says_malignant_when_high_and_benign_when_low(made):
    task = SMALL[1]
    problem = task.prepare(made(task)).problems[0]
    radius, votes = problem.x[:, 0], problem.votes[:, 0]
    assert float(radius[votes == 0].min()) > float(radius[votes == -1].max())
    assert float(radius[votes == 1].max()) < float(radius[votes == -1].min())
    for said in (0, 1):
        assert float((votes == said).float().mean()) == pytest.approx(0.3, abs=0.01)


def test_words_vote_as_their_lists_say():
    votes = votes_of(
        ["A GREAT film!", "Fun, but not good at all, really", "It runs.", "moves slowly but well"],
        np.array([3.0, 2.9, -1.0, 0.0]),
    )
    said = [
        {name: vote for name, vote in zip(NAMES, row, strict=True) if vote >= 0}
        for row in votes.tolist()
    ]
    assert said == [
        {"praise": GOOD, "lexicon": GOOD, "exclamation": GOOD},
        {"praise": GOOD, "delight": GOOD, "negation": BAD, "early but": BAD},
        {"lexicon": BAD},
        {},
    ]


def test_the_classifier_on_soft_labels_is_that_of_weighted_copies():
    from sklearn.linear_model import LogisticRegression

    drawn = np.random.default_rng(0)
    x, q = drawn.standard_normal((80, 4)), drawn.dirichlet(np.ones(3), 80)
    copies = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(
        np.repeat(x, 3, 0), np.tile(np.arange(3), 80), sample_weight=q.ravel()
    )
    own = EndModel(x, q).weights[:-1]
    np.testing.assert_allclose(own - own.mean(1, keepdims=True), copies.coef_.T, atol=2e-3)


def test_the_classifier_of_one_class_says_that_class():
    x = np.random.default_rng(0).standard_normal((30, 3))
    q = np.tile([0.0, 1.0], (30, 1))
    assert EndModel(x, q).classes(x).tolist() == [1] * 30


def test_labels_are_judged_as_by_hand():
    proba = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    y = np.array([0, 1, 0])
    assert label_accuracy(proba, y) == pytest.approx(50)
    assert brier(proba, y) == pytest.approx((0.02 + 0.5 + 1.28) / 3)


def test_labels_that_are_no_probabilities_are_refused_in_a_sentence(made):
    task = SMALL[0]
    problem = task.prepare(made(task)).problems[0]
    with pytest.raises(InvalidRun, match=r"row 0 add up to 1\.5, and must add up to 1"):
        Solution(proba=torch.full((200, 2), 0.75)).validate(problem)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (WeakGenerated(n_train=20, n_dev=21), "n_dev is 21, and there are 20 training rows"),
        (WeakReviews(n_test=20, n_train=61), "more than the 80 sentences; take fewer"),
        (WeakReviews(n_test=80), "more than the 80 sentences; take fewer"),
    ],
)
def test_more_rows_than_there_are_is_refused_in_a_sentence(made, task, said):
    with pytest.raises(InvalidRun, match=said):
        task.prepare(made(task))


def test_sources_that_all_abstain_are_refused_in_a_sentence(made):
    task = WeakGenerated(n_train=20, n_test=20, n_dev=5, cover=1e-12)
    problem = task.prepare(made(task)).problems[0]
    with pytest.raises(InvalidRun, match="all 8 sources abstain on all 20 rows"):
        problem.validate()
