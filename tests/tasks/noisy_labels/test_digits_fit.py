"""Tasks of digits that test what is fitted, and of digits under further kinds of noise."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.ce_large_batch import LargeBatchCrossEntropy
from bench.builtin.tasks.noisy_labels.digits_fit import DigitsFit
from bench.builtin.tasks.noisy_labels.noisy_digits_hard import NoisyDigitsHard

from bench.contracts import Outcome
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools

CPU = torch.device("cpu")


class Serving(Tools):
    def __init__(self, data):
        self.data = data

    def dataset(self, run, name, params):
        return self.data

    def report(self, run, step, model):
        """Nobody looks: only the last model counts here."""


@pytest.fixture(scope="module")
def setups(tmp_path_factory):
    """Return a function from a kind of run and a seed to a run that can read the digits."""
    folder = tmp_path_factory.mktemp("fit")
    data = Digits().load(Setup(seed=0, task="t", method="m", device=CPU, workdir=folder))

    def make(kind=Setup, seed=0):
        return kind(
            seed=seed, task="t", method="m", device=CPU, workdir=folder, tools=Serving(data)
        )

    return make


def variant(task, name, **params):
    found = task.card.presets["default"]
    return task.make({**found.params, **found.variants[name], **params})


def case_of(setups, name, **params):
    return variant(DigitsFit, name, **params).prepare(setups())


def test_random_labels_are_even_and_tell_nothing_of_the_digit(setups):
    case = case_of(setups, "random-labels")
    problem, hidden = case.problems[0], case.hidden
    shares = problem.y.bincount(minlength=10) / len(problem.y)
    assert shares.min() > 0.06
    assert shares.max() < 0.14
    assert (problem.y == hidden.y_true).double().mean().item() == pytest.approx(0.1, abs=0.03)
    assert problem.noise_rate == pytest.approx(0.9, abs=0.03)
    assert torch.equal(problem.x, case_of(setups, "true-labels").problems[0].x)


def test_shuffled_pixels_are_those_of_the_digits_in_one_order_for_train_and_test(setups):
    plain, shuffled = (case_of(setups, name) for name in ("true-labels", "shuffled-pixels"))
    for before, after in (
        (plain.problems[0].x, shuffled.problems[0].x),
        (plain.hidden.x_test, shuffled.hidden.x_test),
    ):
        assert before.shape == after.shape
        assert not torch.equal(before, after)
        assert torch.equal(before.flatten(1).sort(1).values, after.flatten(1).sort(1).values)
    columns = [
        {tuple(column.tolist()) for column in case.problems[0].x.flatten(1)[:50].T}
        for case in (plain, shuffled)
    ]
    assert columns[0] == columns[1]
    assert torch.equal(plain.problems[0].y, shuffled.problems[0].y)


def test_random_pixels_have_the_inputs_mean_and_spread_and_nothing_else_of_them(setups):
    plain, random = (case_of(setups, name) for name in ("true-labels", "random-pixels"))
    x = random.problems[0].x
    assert x.dtype == torch.float32
    assert x.mean().item() == pytest.approx(plain.problems[0].x.mean().item(), abs=0.02)
    assert x.std().item() == pytest.approx(plain.problems[0].x.std().item(), abs=0.02)
    correlation = np.corrcoef(x.flatten().numpy(), plain.problems[0].x.flatten().numpy())[0, 1]
    assert abs(correlation) < 0.02
    assert random.hidden.x_test.std().item() == pytest.approx(1, abs=0.03)


def test_what_is_fitted_is_measured_and_nobody_is_ranked_by_it(setups):
    task = variant(DigitsFit, "random-labels", n_train=100, epochs=1)
    case = task.prepare(setups())

    class Solution:
        """Says each row's given label, and class 0 of any other row."""

        @staticmethod
        def model(x):
            same = (x.flatten(1)[:, None] == case.problems[0].x.flatten(1)).all(-1)
            labels = torch.where(same.any(1), case.problems[0].y[same.int().argmax(1)], 0)
            return torch.nn.functional.one_hot(labels, 10).float()

    outcome = Outcome(solution=Solution(), curve=[], kept={}, cost={}, counters={})
    score = task.evaluate(case, [outcome], setups())
    assert score.metrics["fit"] == 100
    assert 5 < score.metrics["acc_last"] < 15
    assert score.not_rankable
    assert all(
        metric.direction == "none" for metric in DigitsFit.card.metrics if metric.name != "acc_val"
    )


def test_diluted_digits_are_eleven_copies_of_which_one_keeps_its_label(setups):
    task = variant(NoisyDigitsHard, "dilute10", n_train=60)
    case = task.prepare(setups())
    problem, true = case.problems[0], case.hidden.y_true
    assert len(problem.y) == 660
    picture, copies = problem.x.flatten(1).unique(dim=0, return_inverse=True, return_counts=True)[
        1:
    ]
    assert copies.tolist() == [11] * 60
    right = torch.zeros(60, dtype=torch.int64).index_add_(0, picture, (problem.y == true).long())
    assert right.min() >= 1
    assert problem.noise_rate == pytest.approx(0.9 * 10 / 11, abs=0.05)
    assert variant(NoisyDigitsHard, "dilute10").epochs == 10


def test_large_batches_are_cross_entropy_on_a_problem_with_a_larger_batch_and_rate(setups):
    task = variant(NoisyDigitsHard, "dilute10", n_train=40, epochs=2)
    problem = task.prepare(setups()).problems[0]
    method = LargeBatchCrossEntropy(times=4, growth=0.5)
    seeds = method.gather([problem], [setups(Run)])
    assert (seeds.problem.batch_size, seeds.problem.lr) == (512, 0.1)
    large = method.solve(problem, setups(Run)).model(problem.x)
    again = CrossEntropy().solve(seeds.problem, setups(Run)).model(problem.x)
    assert torch.equal(large, again)
    assert not torch.equal(large, CrossEntropy().solve(problem, setups(Run)).model(problem.x))
