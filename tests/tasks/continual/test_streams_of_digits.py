"""Tasks of streams: what is drawn, the metrics of an accuracy matrix by hand, and the references."""

import numpy as np
import pytest
import torch
from bench.builtin.tasks.continual._metrics import matrix_of, of_matrix, pictures
from bench.builtin.tasks.continual.plastic_digits import PlasticDigits
from bench.builtin.tasks.continual.split_digits import SplitDigits
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.contracts import Outcome
from bench.errors import BenchError
from bench.runs.context import Setup
from bench.runs.tools import Tools
from bench.tracks.continual import Solution
from bench.training.data import Examples


class Scans(Tools):
    """Digits of 30 rows a class: a row's first figure is its number."""

    def dataset(self, run, name, params):
        rows = torch.arange(300)
        x = torch.zeros(300, 1, 8, 8, dtype=torch.uint8)
        x.view(300, 64)[rows, rows % 10 + 20] = 200
        x.view(300, 64)[:, 0] = (rows % 250).to(torch.uint8)
        x.view(300, 64)[:, 1] = (rows // 250).to(torch.uint8)
        return Examples(x, rows % 10, 10)

    def report(self, run, step, model):
        """Look away."""

    def progress(self, done, total, label):
        """Look away."""


@pytest.fixture
def run(tmp_path):
    return Setup(
        seed=0,
        task="continual/x",
        method="continual/m",
        device=torch.device("cpu"),
        workdir=tmp_path,
        tools=Scans(),
    )


def outcome(model, curve):
    return Outcome(solution=Solution(model=model), curve=curve, kept={}, cost={}, counters={})


def oracle(x):
    """Tell the class from the pixel that is set."""
    return x.flatten(1)[:, 20:30]


def small(**fields):
    return SplitDigits(**{"a_class": 12, "memory": 5, "widths": (8,), **fields})


def test_a_task_has_two_classes_each_row_comes_once_a_pass_and_test_rows_are_others(run):
    case = small(epochs=2).prepare(run)
    problem, hidden = case.problems[0], case.hidden
    seen = {}
    for chunk in problem.stream:
        for row, label in zip(chunk.x.flatten(1), chunk.y.tolist(), strict=True):
            key = (chunk.t, label, tuple(row.tolist()))
            seen[key] = seen.get(key, 0) + 1
    assert set(seen.values()) == {2}
    assert len(seen) == 120
    by_task = [{label for t, label, _ in seen if t == task} for task in range(5)]
    assert all(len(own) == 2 for own in by_task)
    assert problem.task_id.tolist() == [
        next(t for t, own in enumerate(by_task) if c in own) for c in range(10)
    ]
    test = {tuple(row.tolist()) for row in hidden.x_test.flatten(1)}
    assert len(hidden.y_test) == 180
    assert not test & {row for _, _, row in seen}


def test_accuracies_are_of_all_classes_and_the_oracle_has_all_of_them(run):
    task = small()
    case = task.prepare(run)
    curve = [{"step": step, **task.watch(case, 0, step, oracle).scores} for step in range(1, 6)]
    metrics = task.evaluate(case, [outcome(oracle, curve)], run).metrics
    assert metrics["acc"] == metrics["aaa"] == metrics["learned"] == metrics["acc_task"] == 100
    assert metrics["forgetting"] == metrics["stored"] == 0
    last = case.hidden.task == 4

    def forgetful(x):
        return oracle(x) + 1000.0 * last

    found = task.evaluate(case, [outcome(forgetful, [])], run).metrics
    assert found["acc"] == pytest.approx(20)
    assert found["acc_task"] == 100
    assert found["aaa"] is found["forgetting"] is None


def test_forgetting_by_hand_and_that_it_may_be_negative():
    matrix = np.array([[90.0, 0, 0], [50, 80, 0], [70, 85, 60]])
    found = of_matrix(matrix)
    # 90 - 70, and 80 - 85: the last row is left out of the maximum
    assert found["forgetting"] == pytest.approx((20 - 5) / 2)
    assert found["learned"] == pytest.approx((90 + 80 + 60) / 3)
    assert found["aaa"] == pytest.approx((90 + 65 + 215 / 3) / 3)
    better = np.array([[50.0, 0], [70, 60]])
    assert of_matrix(better)["forgetting"] == -20
    # planted: with the last row inside the maximum it is never below 0
    assert float(better[:, 0].max() - better[-1, 0]) == 0


@given(st.lists(st.lists(st.floats(0, 100), min_size=4, max_size=4), min_size=4, max_size=4))
@settings(max_examples=60, deadline=None)
def test_metrics_of_a_matrix_stay_in_their_bounds_and_ignore_tasks_to_come(rows):
    matrix = np.array(rows)
    found = of_matrix(matrix)
    assert 0 <= found["aaa"] <= 100
    assert -100 <= found["forgetting"] <= 100
    assert of_matrix(np.tril(matrix)) == pytest.approx(found)


def test_a_missing_report_leaves_no_figure_of_the_way(run):
    curve = [{"step": step, **{f"acc_{i}": 50.0 for i in range(1, 4)}} for step in (1, 3)]
    matrix = matrix_of(curve, 3)
    assert np.isnan(matrix[1]).all()
    assert of_matrix(matrix)["aaa"] is None
    assert set(pictures(matrix, np.zeros((3, 3)), 4)) == {"matrix", "memory"}
    assert set(pictures(matrix, np.zeros((3, 3)), 0)) == {"matrix"}


def test_the_upper_reference_takes_as_many_updates_on_all_rows(run):
    task = small(epochs=3)
    case = task.prepare(run)
    solution = task.train_jointly(case.problems[0], case.hidden, run)
    assert solution.model(case.hidden.x_test).shape == (180, 10)
    assert run._counts["forward"] == 3 * 120
    assert case.problems[0].stream._read is False


def test_held_out_rows_are_training_rows_and_the_validation_form_ranks_nothing(run):
    task = small(holdout=0.25)
    case = task.prepare(run)
    assert len(case.hidden.y_test) == 30
    assert len(case.hidden.labels) == 90
    score = task.evaluate(case, [outcome(oracle, [])], run)
    assert score.metrics == {"acc_val": 100}
    assert score.not_rankable


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tasks": 3}, "tasks=3 does not divide 10 classes"),
        ({"a_class": 30}, "leaves no test row of a class of 30"),
        ({"holdout": 0.01}, "leaves 12 to train on and 0 to judge by"),
    ],
)
def test_sizes_that_leave_nothing_are_refused_in_a_sentence(wrong, said, run):
    with pytest.raises(BenchError, match=said):
        small(**wrong).prepare(run)


def plastic(**fields):
    return PlasticDigits(**{"tasks": 4, "rows": 30, "epochs": 2, "widths": (8,), **fields})


def test_new_labels_come_with_the_same_rows_and_new_pixels_with_the_same_labels(run):
    problem = plastic().prepare(run).problems[0]
    assert all(torch.equal(x, problem.stream._x[0]) for x in problem.stream._x)
    assert not torch.equal(problem.stream._y[0], problem.stream._y[1])
    assert problem.memory is problem.task_id is None


def test_permuted_rows_hold_the_same_pixels(run):
    problem = plastic(kind="permuted").prepare(run).problems[0]
    first, second = problem.stream._x[:2]
    assert torch.equal(first.sort(1).values, second.sort(1).values)
    assert not torch.equal(first, second)
    assert all(torch.equal(y, problem.stream._y[0]) for y in problem.stream._y)
    assert problem.watched == "passes"


def test_plasticity_is_the_mean_of_the_last_quarter_and_needs_every_report(run):
    task = plastic()
    case = task.prepare(run)
    curve = [{"step": step, "acc": acc} for step, acc in ((1, 90.0), (2, 80), (3, 70), (4, 40))]
    metrics = task.evaluate(case, [outcome(oracle, curve)], run).metrics
    assert metrics == {"plastic": 40, "early": 90, "drop": 50}
    assert task.evaluate(case, [outcome(oracle, curve[1:])], run).metrics == {"plastic": None}


def test_with_new_pixels_a_task_counts_by_its_accuracy_before_each_pass(run):
    task = plastic(kind="permuted")
    case = task.prepare(run)
    curve = [{"step": step, "acc": 10.0 * step} for step in range(1, 9)]
    metrics = task.evaluate(case, [outcome(oracle, curve)], run).metrics
    assert metrics["plastic"] == 75
    assert metrics["early"] == 15


def test_a_report_is_scored_on_the_rows_of_its_task_alone(run):
    task = plastic()
    case = task.prepare(run)
    hidden = case.hidden

    def knows_the_second(x):
        return torch.nn.functional.one_hot(hidden.y_test[1], 10).float()

    assert task.watch(case, 0, 2, knows_the_second).scores == {"acc": 100}
    assert task.watch(case, 0, 1, knows_the_second).scores["acc"] < 50
    assert task.watch(case, 0, 9, knows_the_second).scores == {}
