"""The order of models under corrections of labels: Kendall's tau-b against slow and foreign forms,
its limits, and the task around it.
"""

import itertools

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.label_errors.flag_none import FlagNone
from bench.builtin.tasks.label_errors import errors_digits_ranks
from bench.builtin.tasks.label_errors._ranks import METRICS, agreement, reviewed, stability
from bench.builtin.tasks.label_errors.errors_digits_ranks import ErrorsDigitsRanks
from scipy.stats import kendalltau
from serving import Serving

from bench.contracts import Outcome
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.tracks.label_errors import Solution


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def by_hand(first, second):
    """Kendall's tau-b, pair by pair."""
    alike = apart = ties_first = ties_second = 0
    for a, b in itertools.combinations(range(len(first)), 2):
        one, other = first[a] - first[b], second[a] - second[b]
        alike += one * other > 0
        apart += one * other < 0
        ties_first += one == 0 and other != 0
        ties_second += other == 0 and one != 0
    decided = alike + apart
    return (alike - apart) / ((decided + ties_first) * (decided + ties_second)) ** 0.5


@pytest.mark.parametrize("seed", range(20))
def test_agreement_is_kendall_s_tau_b_counted_pair_by_pair_and_as_scipy_has_it(seed):
    first, second = generator(seed).integers(0, 6, (2, 10))  # with ties
    found = agreement(first, second)
    assert found == pytest.approx(by_hand(first.tolist(), second.tolist()))
    assert found == pytest.approx(kendalltau(first, second).statistic)


def test_agreement_is_one_for_one_order_minus_one_for_its_reverse_and_looks_at_no_distance():
    score = np.array([3, 1, 4, 15, 9])
    assert agreement(score, score) == 1
    assert agreement(score, score**3) == 1
    assert agreement(score, -score) == -1
    assert agreement(score, np.ones(5)) == 0
    assert agreement(np.ones(5), np.ones(5)) == 1


# three models, four rows, two wrong labels: a says the truth, b what is given, c neither
TRUE = np.array([0, 1, 2, 3])
GIVEN = np.array([0, 1, 3, 0])
SAID = np.array([[0, 1, 2, 3], [0, 1, 3, 0], [0, 2, 2, 1]])


@pytest.mark.parametrize(
    ("rows", "corrected", "regret"), [([2], [3, 3, 2], 25), ([], [2, 4, 1], 50), ([2, 3], None, 0)]
)
def test_a_review_of_three_models_is_scored_as_by_hand(rows, corrected, regret):
    given, true = [2, 4, 1], [4, 2, 2]  # how many labels each model has right
    corrected = corrected or true
    found = stability(SAID, GIVEN, TRUE, np.array(rows, dtype=int))
    assert found == {
        "rank_true": pytest.approx(by_hand(corrected, true)),
        "rank_stability": pytest.approx(by_hand(given, corrected)),
        "rank_given": pytest.approx(by_hand(given, true)),
        "regret": regret,
    }


def test_without_errors_or_a_review_nothing_moves_and_a_full_review_gives_the_true_order():
    numbers = generator(1)
    true, said = numbers.integers(0, 3, 60), numbers.integers(0, 3, (10, 60))
    given = np.where(numbers.random(60) < 0.4, numbers.integers(0, 3, 60), true)
    every, none = np.arange(60), np.arange(0)
    clean = stability(said, true, true, every)
    assert clean == {"rank_true": 1, "rank_stability": 1, "rank_given": 1, "regret": 0}
    untouched, whole = stability(said, given, true, none), stability(said, given, true, every)
    assert untouched["rank_stability"] == 1
    assert untouched["rank_true"] == untouched["rank_given"] == whole["rank_stability"] < 1
    assert (whole["rank_true"], whole["regret"]) == (1, 0)


def test_the_most_suspicious_rows_are_reviewed_and_among_equals_chance_decides():
    suspicion = np.array([0.0, 2.0, 1.0, 1.0, 1.0, -np.inf, np.inf])
    chosen = [tuple(sorted(reviewed(suspicion, 3, generator(seed)))) for seed in range(300)]
    assert all({1, 6} <= set(rows) for rows in chosen)
    third = np.bincount([(set(rows) - {1, 6}).pop() for rows in chosen], minlength=7)
    assert third[[0, 1, 5, 6]].sum() == 0
    assert third[[2, 3, 4]].min() > 70


# The task ----------------------------------------------------------------------------------------

TASK = ErrorsDigitsRanks(noise="asym", rate=0.4, n_train=500)


@pytest.fixture
def setup(tmp_path):
    data = []

    def make(task, seed=0):
        run = Setup(
            seed=seed,
            task="label-errors/errors-digits-ranks",
            method="m",
            device=torch.device("cpu"),
            workdir=tmp_path,
            tools=Serving(data[0] if data else None),
            artifacts=Artifacts(tmp_path / "cache"),
        )
        if not data:
            data.append(Digits().load(run))
            return make(task, seed)
        return run

    return make


def scored(task, case, solution, run):
    return task.evaluate(
        case, [Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})], run
    )


def test_models_in_a_wrong_order_come_into_the_right_one_when_all_errors_are_reviewed(
    setup, monkeypatch
):
    case = TASK.prepare(setup(TASK))
    problem, bad = case.problems[0], case.problems[0].y != case.hidden.y_true
    fitted = []
    real = errors_digits_ranks.models
    monkeypatch.setattr(errors_digits_ranks, "models", lambda: fitted.append(1) or real())
    best = scored(TASK, case, TASK.flag_true_errors(problem, case.hidden, setup(TASK)), setup(TASK))
    assert best.not_rankable is None
    assert best.metrics.keys() == {metric.name for metric in METRICS}
    assert (best.metrics["rank_true"], best.metrics["regret"], best.metrics["ap"]) == (1, 0, 100)
    assert best.metrics["rank_given"] == best.metrics["rank_stability"] < 0.8
    blind = scored(TASK, case, FlagNone().solve(problem, setup(TASK)), setup(TASK)).metrics
    assert blind["rank_given"] == best.metrics["rank_given"]
    assert blind["rank_true"] < 0.9
    # rows that are right change nothing when they are reviewed
    vain = scored(TASK, case, Solution(suspicion=(~bad).float()), setup(TASK)).metrics
    assert (vain["rank_stability"], vain["rank_true"]) == (1, vain["rank_given"])
    # once for all detectors, whatever they are told of the problem
    case.problems[0] = msgspec.structs.replace(problem, noise_rate=None)
    assert scored(TASK, case, Solution(suspicion=bad.float()), setup(TASK)).metrics == best.metrics
    assert fitted == [1]


def test_without_wrong_labels_the_order_is_stable_and_the_cell_is_not_ranked(setup):
    task = msgspec.structs.replace(TASK, rate=0.0)
    score = scored(
        task,
        task.prepare(setup(task)),
        Solution(suspicion=torch.rand(500)),
        setup(task),
    )
    assert score.not_rankable == "no label is wrong, so there is nothing to tell apart"
    assert [score.metrics[name] for name in ("rank_true", "rank_stability", "rank_given")] == [
        1
    ] * 3
