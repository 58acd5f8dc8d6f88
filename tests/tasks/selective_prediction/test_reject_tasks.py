"""Figures of scores against brute force over all orders, and what the tasks hand out."""

import itertools

import numpy as np
import pytest
import torch
from bench.builtin.tasks.selective_prediction._metrics import cheapest, coverage, judged, risks
from bench.builtin.tasks.selective_prediction._task import half_corrupted
from bench.builtin.tasks.selective_prediction.reject_digits import RejectDigits
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import Outcome
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.selective_prediction import Scored, Solution
from bench.training.data import Examples

ROWS = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6)


def columns(rows):
    scores, wrong = zip(*rows, strict=True)
    return np.array(scores, float), np.array(wrong)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_errors_among_kept_rows_are_means_over_all_orders_of_equal_scores(rows):
    scores, wrong = columns(rows)
    found = []
    for order in itertools.permutations(range(len(rows))):
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order)):
            found.append(np.cumsum(wrong[list(order)]) / np.arange(1, len(rows) + 1))
    mean = np.mean(found, axis=0)
    assert np.allclose(risks(scores, wrong), mean)
    # the largest k whose mean error is low enough, and not the mean of each order's largest k
    judgement = judged(scores, wrong, 0.0, 0.1)
    for name, most in (("cov_at_1", 0.01), ("halved", wrong.mean() / 2)):
        enough = [k for k in range(1, len(rows) + 1) if mean[k - 1] <= most + 1e-9]
        assert judgement[name] == pytest.approx(100 * max(enough, default=0) / len(rows)), name
    half = max(1, len(rows) // 2)
    assert judgement["acc_filtered"] == pytest.approx(100 - 100 * mean[half - 1])
    assert judgement["aurc"] == pytest.approx(100 * mean.mean())


def test_rows_of_one_score_are_kept_by_their_mean_error_and_not_by_a_lucky_order():
    scores, wrong = np.zeros(4), np.array([True, False, False, False])
    # three of four orders begin with a right answer, and the mean error is a quarter at any k
    found = judged(scores, wrong, 0.0, 0.1)
    assert found["cov_at_1"] == found["halved"] == 0


@given(ROWS, st.floats(0.01, 0.49))
@settings(max_examples=60, deadline=None)
def test_the_cheapest_threshold_costs_no_more_than_any_other(rows, cost):
    scores, wrong = columns(rows)

    def loss(edge):
        return float(np.where(scores >= edge, wrong, cost).mean())

    best = cheapest(scores, wrong, cost)
    assert loss(best) <= min(map(loss, [*scores, np.inf])) + 1e-12


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_a_perfect_order_has_the_least_area_and_none_in_excess(rows):
    scores, wrong = columns(rows)
    perfect = judged(-wrong.astype(float), wrong, 0.0, 0.1)
    assert perfect["e_aurc"] == pytest.approx(0)
    assert judged(scores, wrong, 0.0, 0.1)["aurc"] >= perfect["aurc"] - 1e-9


def test_figures_by_hand():
    # best first: right, wrong, right, right
    scores, wrong = np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, True, False, False])
    assert risks(scores, wrong) == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    found = judged(scores, wrong, 3.0, 0.1)
    assert found["aurc"] == pytest.approx(100 * (1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found["e_aurc"] == pytest.approx(found["aurc"] - 100 / 16)
    assert found["cov_at_1"] == found["halved"] == 25
    assert found["loss"] == pytest.approx(100 * (1 + 0.2) / 4)
    assert found["kept"] == found["acc_filtered"] == 50
    assert coverage(np.array([0.5, 0.5]), 0.1) == 0


def test_every_second_picture_is_corrupted_and_the_others_are_as_they_were():
    x = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = half_corrupted(x, np.random.default_rng(0))
    same = (found == x).flatten(1).all(1)
    assert bool(same[::2].all())
    # of 64 pixels the weakest impulse may strike none
    assert float(same[1::2].float().mean()) < 0.1
    assert 0 <= float(found.min()) <= float(found.max()) <= 1


class Data(Run):
    """A run that has pictures which tell their class by the row that is bright."""

    def dataset(self, name, **params):
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(300) % 5
        x = torch.randint(0, 6, (300, 1, 8, 8), generator=generator, dtype=torch.uint8)
        x[torch.arange(300), 0, y] = 16
        return Examples(x, y, 5)


SIZES = {"n_train": 150, "n_val": 50, "n_test": 100, "epochs": 6, "widths": (16,)}


@pytest.fixture
def run(tmp_path):
    return Data(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=tmp_path)


def test_a_case_has_clean_training_rows_and_scores_are_held_against_the_nets_errors(run):
    task = RejectDigits(**SIZES)
    case = task.prepare(run)
    problem = case.problems[0]
    assert [len(problem.x), len(problem.x_val), len(case.hidden.x_test)] == [150, 50, 100]
    assert problem.cost == 0.1

    def evaluated(solution):
        outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
        return task.evaluate(case, [outcome], run).metrics

    flat = evaluated(Scored(score=lambda x: torch.zeros(len(x), 1)))
    assert flat["aurc"] == pytest.approx(100 - flat["acc"])
    none = evaluated(Solution(score=lambda x: torch.zeros(len(x), 1), threshold=1.0))
    assert none["kept"] == 0
    assert none["loss"] == pytest.approx(10)
    perfect = evaluated(task.tell_errors(problem, case.hidden, run))
    assert perfect["e_aurc"] == 0
    assert perfect["loss"] == pytest.approx((100 - flat["acc"]) * 0.1)
    with pytest.raises(InvalidRun, match="judges each row by itself"):
        evaluated(Scored(score=lambda x: torch.arange(len(x)).float()[:, None]))


def test_more_rows_than_there_are_are_refused(run):
    with pytest.raises(InvalidRun, match="there are 300 rows"):
        RejectDigits(**{**SIZES, "n_train": 1000}).prepare(run)
