"""The tasks of one-sided noise: what is lowered, what is hidden, how models are judged."""

import pytest
import torch
from bench.builtin.datasets.diabetes import Diabetes
from bench.builtin.tasks.noisy_regression.sensor_diabetes import SensorDiabetes
from bench.builtin.tasks.noisy_regression.sensor_friedman import SensorFriedman
from recipes_small import setups

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.guard import leaves
from bench.tracks.noisy_regression import Solution

SMALL = (SensorFriedman(n_train=400, n_test=60), SensorDiabetes())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sensor")
    (plain,) = setups(folder, {}, track="noisy-regression")
    data = {"diabetes": Diabetes().load(plain)}

    def make(task, seed=0):
        return setups(folder, data, seed + 1, track="noisy-regression", task=task.card.name)[seed]

    return make


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.card.name)
def test_targets_are_clean_or_too_low_and_the_clean_ones_are_hidden(made, task):
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    fall = hidden.y - problem.y
    assert float(fall.min()) >= 0
    assert float((fall > 0).float().mean()) == pytest.approx(0.5, abs=0.1)
    low = fall[fall > 0]
    assert float(low.mean()) == pytest.approx((2 / torch.pi) ** 0.5, abs=0.12)
    assert float(hidden.y.mean()) == pytest.approx(0, abs=1e-4)
    assert float(hidden.y.std()) == pytest.approx(1, abs=1e-3)
    for name, tensor in leaves(problem):
        if isinstance(tensor, torch.Tensor) and tensor.shape == hidden.y.shape:
            assert not torch.equal(tensor, hidden.y), name


def test_without_low_targets_the_problem_is_the_clean_one(made):
    for task in (SensorFriedman(n_train=50, n_test=20, share=0.0), SensorDiabetes(depth=0.0)):
        case = task.prepare(made(task))
        assert torch.equal(case.problems[0].y, case.hidden.y)


def test_figures_are_those_by_hand(made):
    task = SensorFriedman(n_train=50, n_test=20)
    run = made(task)
    case = task.prepare(run)
    outcome = Outcome(
        solution=Solution(model=lambda x: torch.zeros(len(x), 1)),
        curve=[],
        kept={},
        cost={},
        counters={},
    )
    found, y = task.evaluate(case, [outcome], run), case.hidden.y_test
    assert found.metrics == pytest.approx(
        {
            "mae_clean": float(y.abs().mean()),
            "rmse_clean": float(y.square().mean().sqrt()),
            "bias": -float(y.mean()),
        },
        abs=1e-6,
    )
    assert task.watch(case, 0, 1, outcome.solution.model).scores == found.metrics


def test_a_model_that_shifts_by_the_test_rows_it_is_shown_is_invalid(made):
    task = SensorFriedman(n_train=50, n_test=21)
    run = made(task)
    case = task.prepare(run)
    solution = Solution(model=lambda x: x[:, :1] - x[:, :1].mean())
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    with pytest.raises(InvalidRun, match="depends on the rows that it is shown together with"):
        task.evaluate(case, [outcome], run)


def test_training_rows_that_leave_a_column_without_spread_are_refused_in_a_sentence(made):
    task = SensorDiabetes(n_train=2)
    with pytest.raises(InvalidRun, match="n_train=2 rows have the same number in a column"):
        task.prepare(made(task))
