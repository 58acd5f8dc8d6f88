"""Rewards against a loop over rows, the constant solution, and what is refused."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.tasks.selective_prediction._rewards import by_severity, divergence, drift
from bench.builtin.tasks.selective_prediction.risky_mnist import RiskyMnist
from torch.nn import functional as F

from bench import Outcome
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.selective_prediction import Scored, Solution
from bench.tracks.selective_prediction_actions import Acting, optimal_constant
from bench.training.calibration import fit_temperature
from bench.training.data import Examples


class Data(Run):
    """A run that has pictures which tell their class, 0 to 9, by the column that is bright."""

    def dataset(self, name, **params):
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(300) % 10
        x = torch.randint(0, 90, (300, 1, 28, 28), generator=generator, dtype=torch.uint8)
        x[torch.arange(300), 0, :, 2 * y + 3] = 255
        return Examples(x, y, 10)


SIZES = {"n_train": 200, "n_val": 40, "n_test": 30, "epochs": 60, "widths": (16,)}
TASK = RiskyMnist(**SIZES)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return Data(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


@pytest.fixture(scope="module")
def case(run):
    return TASK.prepare(run)


def evaluated(case, solution, run):
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return TASK.evaluate(case, [outcome], run).metrics


def test_a_case_has_the_clean_set_and_thirty_corrupted_ones_row_by_row(case):
    problem, hidden = case.problems[0], case.hidden
    problem.validate()
    assert (problem.cost, problem.penalty, problem.n_actions) == (0.2, 4.0, 11)
    sets = hidden.sets(hidden.shown)
    assert sets.shape == (31, 30, 1, 28, 28)
    assert torch.equal(sets[0], hidden.x_test)
    # the first kind is noise, and there is more of it at every severity
    off = (sets[1:6] - hidden.x_test).square().flatten(1).mean(1)
    assert bool((off.diff() > 0).all())
    first = hidden.order[:30] // 30
    assert len(first.unique()) > 5


def test_outputs_at_the_optimal_constant_never_answer_earn_nothing_and_are_at_no_distance(
    case, run
):
    constant = optimal_constant(case.problems[0].y, 10, 4.0)
    assert float(constant[:-1].max()) < 0
    found = evaluated(
        case,
        Acting(
            score=lambda x: torch.zeros(len(x), 1), rewards=lambda x: constant.expand(len(x), -1)
        ),
        run,
    )
    assert found["reward"] == found["reward_id"] == 0
    assert {found[f"abstain_{k}"] for k in range(6)} == {100.0}
    assert [found[f"ocs_{k}"] for k in range(6)] == pytest.approx([0] * 6, abs=1e-9)
    assert found["ocs_slope"] is None


def test_rewards_and_distances_are_those_of_a_loop_over_rows(case, run):
    problem, hidden = case.problems[0], case.hidden
    weights = torch.randn(784, generator=torch.Generator().manual_seed(1))
    found = evaluated(
        case,
        Solution(score=lambda x: (x.flatten(1) @ weights)[:, None], threshold=1.5),
        run,
    )
    shares = torch.tensor([float((problem.y == c).float().mean()) for c in range(10)])
    earned, silent, far = [], [], []
    for rows in hidden.sets(hidden.shown):
        total, none, distance = 0.0, 0, 0.0
        for row, label in zip(rows, hidden.y_test.tolist(), strict=True):
            logits = problem.model(row[None])[0]
            distance += float(F.kl_div(shares.log(), logits.softmax(0), reduction="sum"))
            if float(row.flatten() @ weights) < 1.5:
                none += 1
            else:
                total += 1.0 if int(logits.argmax()) == label else -4.0
        earned.append(total / len(rows))
        silent.append(100 * none / len(rows))
        far.append(distance / len(rows))
    assert found["reward_id"] == pytest.approx(earned[0])
    assert found["reward"] == pytest.approx(np.mean(earned[1:]))
    assert 0 < found["abstain_0"] < 100
    for k in range(1, 6):
        # severity k of every kind in turn
        assert found[f"abstain_{k}"] == pytest.approx(np.mean(silent[k::5]))
        assert found[f"ocs_{k}"] == pytest.approx(np.mean(far[k::5]), rel=1e-4)


def test_a_score_without_a_threshold_gets_the_one_that_earns_most_on_validation_rows(case, run):
    problem = case.problems[0]

    def score(x):
        return problem.model(x).softmax(1).amax(1, keepdim=True)

    own = score(problem.x_val)[:, 0]
    right = problem.model(problem.x_val).argmax(1) == problem.y_val

    def earned(edge):
        return float(torch.where(own >= edge, torch.where(right, 1.0, -4.0), 0.0).mean())

    best = max(own.tolist(), key=lambda edge: (round(earned(edge), 9), -edge))
    chosen = evaluated(case, Scored(score=score), run)
    assert chosen == evaluated(case, Solution(score=score, threshold=best - 1e-7), run)


def test_a_score_that_reads_the_rows_beside_a_row_is_refused(case, run):
    with pytest.raises(InvalidRun, match="judges each row by itself"):
        evaluated(case, Scored(score=lambda x: (x - x.mean(0)).flatten(1)[:, 400:401]), run)


def test_the_upper_reference_calibrates_on_every_set_with_its_labels(case, run):
    problem, hidden = case.problems[0], case.hidden
    told = TASK.fit_each_set(problem, hidden, run)
    rows = hidden.sets(hidden.shown)[7]
    logits = problem.model(rows)
    scale = fit_temperature(logits, hidden.y_test)
    assert float(told.temperatures[7]) == pytest.approx(scale, rel=1e-4)
    found = evaluated(case, told, run)
    always = evaluated(case, Solution(score=lambda x: torch.ones(len(x), 1), threshold=0.0), run)
    assert found["reward"] > always["reward"]
    assert always["abstain_5"] == 0


def test_drift_is_the_mean_over_kinds_of_the_rank_correlation_with_severity():
    falling, rising = np.arange(5.0, 0, -1), np.arange(7.0, 12)
    assert drift(np.concatenate([[6.0], falling])) == pytest.approx(-1)
    assert drift(np.concatenate([[6.0], falling, rising])) == pytest.approx(0)
    assert drift(np.concatenate([[6.0], falling, np.full(5, 6.0)])) == pytest.approx(-1)
    assert by_severity(np.arange(11.0)) == [0, 3.5, 4.5, 5.5, 6.5, 7.5]
    even = torch.full((3,), 1 / 3)
    assert float(divergence(torch.zeros(1, 3), even)[0]) == pytest.approx(0, abs=1e-6)
    sure = torch.tensor([[90.0, 0, 0]])
    assert float(divergence(sure, even)[0]) == pytest.approx(np.log(3))


def test_sizes_and_actions_that_do_not_fit_are_refused_in_a_sentence(case, run):
    with pytest.raises(InvalidRun, match="there are 300 rows; ask for fewer"):
        RiskyMnist(**{**SIZES, "n_train": 1000}).prepare(run)
    wrong = msgspec.structs.replace(case.problems[0], n_actions=10)
    with pytest.raises(InvalidRun, match="one action a class and one to abstain"):
        wrong.validate()
