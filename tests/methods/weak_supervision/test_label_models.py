"""Label models: their formulas against slow computations, limits in which two are one, and votes
that say little.
"""

import numpy as np
import pytest
import torch
from bench.builtin.methods.weak_supervision.dawid_skene import DawidSkene
from bench.builtin.methods.weak_supervision.dawid_skene_prior import DawidSkenePrior
from bench.builtin.methods.weak_supervision.dev_forest import DevForest
from bench.builtin.methods.weak_supervision.dev_weights import DevWeights
from bench.builtin.methods.weak_supervision.label_model import LabelModel, ordered
from bench.builtin.methods.weak_supervision.majority import Majority
from bench.builtin.methods.weak_supervision.majority_hard import MajorityHard
from bench.builtin.methods.weak_supervision.one_coin import OneCoin
from bench.builtin.methods.weak_supervision.triplet import Triplet
from hypothesis import given, settings
from hypothesis import strategies as st
from weak_small import labelled, panel_of, voted, votes_from, weak_run

from bench.errors import InvalidRun, ParameterError

MODELS = (Majority(), MajorityHard(), OneCoin(), DawidSkene(), LabelModel(), Triplet())
TOLD = (DevWeights(), DevForest(trees=5))


def named(method):
    return method.card.name


def test_shares_of_votes_are_those_of_a_hand_count_and_a_silent_row_has_none(tmp_path):
    votes = torch.tensor([[0, 1, 1, -1], [-1, -1, 0, -1], [-1, -1, -1, -1]])
    wanted = torch.tensor([[1 / 3, 2 / 3], [1.0, 0.0], [0.5, 0.5]])
    torch.testing.assert_close(labelled(Majority(), voted(votes), tmp_path), wanted)


def test_the_winner_has_most_votes_and_equal_ones_are_drawn_about_as_often(tmp_path):
    votes = torch.tensor([[0, 1, 1]] * 10 + [[0, 1, -1]] * 600)
    proba = labelled(MajorityHard(), voted(votes), tmp_path)
    assert proba[:10, 1].tolist() == [1.0] * 10
    assert set(proba.flatten().tolist()) == {0.0, 1.0}
    assert float(proba[10:, 1].mean()) == pytest.approx(0.5, abs=0.1)


def slow_tables(votes, q, symbols, smoothing):
    """Return how likely each source says each symbol under each class, counted vote by vote."""
    rows, sources, classes = len(votes), votes.shape[1], q.shape[1]
    table = np.full((sources, symbols, classes), smoothing)
    for row in range(rows):
        for source in range(sources):
            vote = int(votes[row, source])
            table[source, vote if vote >= 0 else symbols - 1] += q[row]
    return table / table.sum(1, keepdims=True)


def test_dawid_and_skenes_rounds_are_those_of_a_count_vote_by_vote(tmp_path):
    votes, _ = votes_from(rows=60, classes=3)
    q = labelled(Majority(), voted(votes, 3), tmp_path).double().numpy()
    for _ in range(3):
        table = slow_tables(votes, q, 4, 0.01)
        new = np.ones_like(q) / 3
        for row in range(len(votes)):
            for source in range(votes.shape[1]):
                vote = int(votes[row, source])
                new[row] *= table[source, vote if vote >= 0 else 3]
        q = new / new.sum(1, keepdims=True)
    found = labelled(DawidSkene(rounds=3), voted(votes, 3), tmp_path)
    np.testing.assert_allclose(found.numpy(), q, atol=1e-6)


def test_learned_shares_of_the_classes_are_the_means_of_the_round_before(tmp_path):
    votes, _ = votes_from(rows=80)
    problem = voted(votes)
    q = labelled(Majority(), problem, tmp_path)
    told = voted(votes, class_prior=q.mean(0))
    one, other = DawidSkene(rounds=1, shares="learned"), DawidSkene(rounds=1)
    torch.testing.assert_close(labelled(one, problem, tmp_path), labelled(other, told, tmp_path))


def test_even_shares_that_are_told_change_nothing_and_uneven_ones_do(tmp_path):
    votes, _ = votes_from(rows=80)
    plain = labelled(DawidSkene(), voted(votes), tmp_path)
    even, uneven = (
        labelled(DawidSkenePrior(), voted(votes, class_prior=torch.tensor(shares)), tmp_path)
        for shares in ([0.5, 0.5], [0.8, 0.2])
    )
    assert torch.equal(even, plain)
    assert float((uneven[:, 0] - plain[:, 0]).mean()) > 0.01


def test_one_accuracy_a_source_is_that_of_a_count_vote_by_vote(tmp_path):
    votes, _ = votes_from(rows=60, classes=3)
    q = labelled(Majority(), voted(votes, 3), tmp_path).double().numpy()
    for _ in range(3):
        accuracy = []
        for own in votes.T.numpy():
            cast = np.flatnonzero(own >= 0)
            right = sum(q[row, own[row]] for row in cast)
            accuracy.append((right + 0.01) / (len(cast) + 0.02))
        new = np.ones_like(q)
        for row in range(len(votes)):
            for source, vote in enumerate(votes[row].tolist()):
                if vote >= 0:
                    rest = (1 - accuracy[source]) / 2
                    new[row] *= np.where(np.arange(3) == vote, accuracy[source], rest)
        q = new / new.sum(1, keepdims=True)
    found = labelled(OneCoin(rounds=3), voted(votes, 3), tmp_path)
    np.testing.assert_allclose(found.numpy(), q, atol=1e-6)


def test_snorkels_gradient_is_that_of_its_loss(tmp_path):
    """One step from the start, by the automatic gradient of the loss as the paper's authors write
    it.
    """
    votes, _ = votes_from(rows=200, classes=3)
    panel = panel_of(voted(votes, 3, class_prior=torch.tensor([0.5, 0.3, 0.2])), tmp_path)
    rows, sources, classes = panel.marks.shape[1:]
    flat = panel.marks[0].flatten(1)
    moments, prior = flat.T @ flat / rows, panel.prior[0]
    u = 0.6
    start = torch.zeros(sources * classes, classes, dtype=torch.float64)
    for source in range(sources):
        for c in range(classes):
            at = source * classes + c
            start[at, c] = (moments[at, at] * 0.7 / prior[c]).clamp(0, 1) * u
    mu = start.clone().requires_grad_()
    mask = torch.ones_like(moments, dtype=torch.bool)
    for source in range(sources):
        at = slice(source * classes, (source + 1) * classes)
        mask[at, at] = False
    loss = ((moments - mu @ prior.diag() @ mu.T)[mask] ** 2).sum()
    loss = loss + (((mu @ prior.diag()).sum(1) - moments.diagonal()) ** 2).sum()
    loss.backward()
    wanted = (start - 0.01 * mu.grad).clamp(0.001, 0.999)
    found = LabelModel(steps=1).fitted(panel, torch.tensor([u]).double())
    torch.testing.assert_close(found[0], wanted, atol=1e-6, rtol=0)


def test_snorkels_tables_come_near_those_of_three_independent_sources(tmp_path):
    accuracy = (0.9, 0.75, 0.6)
    votes, _ = votes_from(rows=20_000, accuracy=accuracy, cover=0.8)
    panel = panel_of(voted(votes), tmp_path)
    mu = LabelModel(steps=2000).fitted(panel, torch.tensor([0.5]).double())[0].unflatten(0, (-1, 2))
    right = mu.diagonal(dim1=1, dim2=2).mean(1)
    np.testing.assert_allclose(right.numpy(), 0.8 * np.array(accuracy), atol=0.03)


def test_classes_of_the_same_share_are_put_in_the_order_in_which_sources_are_right():
    mu = torch.tensor([[0.1, 0.7], [0.8, 0.2], [0.2, 0.6], [0.7, 0.1]]).double()[None]
    even = torch.tensor([[0.5, 0.5]]).double()
    torch.testing.assert_close(ordered(mu, even), mu.flip(-1))
    torch.testing.assert_close(ordered(mu, torch.tensor([[0.6, 0.4]]).double()), mu)


def test_triplets_tell_the_accuracies_of_sources_whose_agreement_is_exact(tmp_path):
    accuracy = (0.9, 0.8, 0.7, 0.6)
    votes, _ = votes_from(rows=100_000, accuracy=accuracy, cover=0.7)
    panel = panel_of(voted(votes), tmp_path)
    signs = (2 * panel.marks[..., 1] - 1) * panel.casts
    found = Triplet().accuracies(signs, panel.casts)[0]
    np.testing.assert_allclose(found.numpy(), 2 * np.array(accuracy) - 1, atol=0.03)


def test_accuracies_counted_on_labelled_rows_give_bayes_rule(tmp_path):
    votes, y = votes_from(rows=100)
    told = torch.where(torch.arange(100) < 50, y, -1)
    found = labelled(DevWeights(), voted(votes, dev_labels=told), tmp_path)
    odds = np.zeros(100)
    for own in votes.T.numpy():
        cast = np.flatnonzero((own >= 0) & (told.numpy() >= 0))
        rate = ((own[cast] == y.numpy()[cast]).sum() + 1) / (len(cast) + 2)
        odds += np.where(own < 0, 0, np.where(own == 1, 1, -1)) * np.log(rate / (1 - rate))
    np.testing.assert_allclose(found[:, 1].numpy(), 1 / (1 + np.exp(-odds)), atol=1e-6)


@pytest.mark.parametrize("method", [OneCoin(), DawidSkene(), LabelModel(), Triplet()], ids=named)
def test_a_model_labels_better_than_the_majority_where_sources_differ(tmp_path, method):
    votes, y = votes_from(rows=3000, accuracy=(0.95, 0.9, 0.6, 0.55, 0.55), cover=0.8)
    covered = (votes >= 0).any(1)
    right = [
        float((labelled(one, voted(votes), tmp_path).argmax(1) == y)[covered].float().mean())
        for one in (method, MajorityHard())
    ]
    assert right[0] > right[1] + 0.05


@pytest.mark.parametrize("method", MODELS + TOLD, ids=named)
@pytest.mark.parametrize("case", ["never fires", "one class", "one row", "agree"])
def test_votes_that_say_little_still_give_probabilities(tmp_path, method, case):
    votes, y = votes_from(rows=40)
    if case == "never fires":
        votes[:, 2] = -1
    if case == "one class":
        votes = torch.where(votes >= 0, 0, -1)
        y = torch.zeros_like(y)
    if case == "one row":
        votes[1:] = -1
    if case == "agree":
        votes = y[:, None].expand(-1, 4).clone()
    problem = voted(votes, dev_labels=y)
    proba = labelled(method, problem, tmp_path)
    method.solve(problem, weak_run(tmp_path, 1, method.card.name)).validate(problem)
    assert bool(proba.isfinite().all())
    if case == "agree":
        assert bool((proba.argmax(1) == y).float().mean() > 0.9)


@pytest.mark.parametrize("method", [Majority(), OneCoin(), LabelModel(), Triplet()], ids=named)
def test_a_source_that_never_votes_changes_nothing(tmp_path, method):
    votes, _ = votes_from(rows=200)
    silent = torch.cat([votes, torch.full((200, 1), -1)], 1)
    one, other = (labelled(method, voted(part), tmp_path) for part in (votes, silent))
    torch.testing.assert_close(
        one, other, atol=0.01 if named(method) == "label-model" else 1e-6, rtol=0
    )


@pytest.mark.parametrize("method", MODELS[:1] + MODELS[2:], ids=named)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 4))
def test_the_order_of_rows_and_of_sources_changes_nothing(tmp_path_factory, method, seed, classes):
    folder = tmp_path_factory.mktemp("order")
    votes, _ = votes_from(seed, rows=50, classes=classes)
    if not bool((votes >= 0).any()):
        return
    drawn = np.random.default_rng(seed)
    rows = torch.from_numpy(drawn.permutation(50))
    sources = torch.from_numpy(drawn.permutation(4))
    plain = labelled(method, voted(votes, classes), folder)
    moved = labelled(method, voted(votes[rows][:, sources], classes), folder)
    torch.testing.assert_close(moved, plain[rows], atol=2e-4, rtol=0)


@pytest.mark.parametrize("method", MODELS, ids=named)
def test_a_seed_gets_the_same_labels_alone_and_in_company(tmp_path, method):
    problems = [voted(votes_from(seed, rows=60)[0]) for seed in (0, 1)]
    runs = [weak_run(tmp_path, seed, named(method)) for seed in (0, 1)]
    together = method.solve_stacked(problems, runs)
    for seed, (problem, own) in enumerate(zip(problems, together, strict=True)):
        assert torch.equal(own.proba, labelled(method, problem, tmp_path, seed))


@pytest.mark.parametrize("method", [LabelModel(), Triplet()], ids=named)
def test_fewer_than_three_sources_are_refused_in_a_sentence(tmp_path, method):
    votes, _ = votes_from(rows=20, accuracy=(0.9, 0.8))
    with pytest.raises(InvalidRun, match="there are 2; give at least 3 sources"):
        labelled(method, voted(votes), tmp_path)


def test_tables_that_are_not_finite_are_refused_in_a_sentence(tmp_path):
    panel = panel_of(voted(votes_from(rows=50)[0]), tmp_path)
    with pytest.raises(
        InvalidRun, match=r"not finite after 100 steps at lr=1e\+30; take a smaller"
    ):
        LabelModel(lr=1e30).labels(panel)


@pytest.mark.parametrize("kind", [DevWeights, OneCoin])
def test_a_smoothing_that_rounds_away_is_refused(kind):
    with pytest.raises(ParameterError, match="smoothing=1e-300"):
        kind(smoothing=1e-300)


@pytest.mark.parametrize("kind", [DevWeights, OneCoin])
def test_the_least_smoothing_is_enough_for_sources_that_are_always_right(kind, tmp_path):
    y = torch.arange(60) % 2
    told = voted(torch.stack([y, y, y], 1), dev_labels=y)
    found = kind(smoothing=1e-6).labels(panel_of(told, tmp_path))
    assert bool(found.isfinite().all())
    assert torch.equal(found[0].argmax(1), y)
