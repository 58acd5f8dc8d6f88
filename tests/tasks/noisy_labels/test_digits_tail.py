"""The task that judges by the worst test rows: its figure row by row, and what else it shows."""

import math

import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.tasks.noisy_labels.digits_tail import DigitsTail, tail
from bench.builtin.tasks.noisy_labels.noisy_digits import NoisyDigits

from bench.contracts import Outcome
from bench.runs.context import Setup
from bench.runs.tools import Tools
from bench.tracks.noisy_labels import Solution

CPU = torch.device("cpu")


@pytest.mark.parametrize(("rows", "count"), [(100, 5), (101, 6), (40, 2), (3, 1)])
def test_the_tail_is_the_mean_of_the_largest_losses_row_by_row(rows, count):
    generator = np.random.default_rng(rows)
    logits, y = generator.standard_normal((rows, 4)), generator.integers(0, 4, rows)
    losses = [
        -math.log(math.exp(row[label]) / sum(math.exp(value) for value in row))
        for row, label in zip(logits.tolist(), y, strict=True)
    ]
    expected = sum(sorted(losses)[-count:]) / count
    assert tail(torch.from_numpy(logits), torch.from_numpy(y)) == pytest.approx(expected)


def test_even_probabilities_have_the_tail_of_chance_and_impossible_labels_a_finite_one():
    y = torch.arange(10)
    [primary] = [metric for metric in DigitsTail.card.metrics if metric.primary]
    assert tail(torch.zeros(10, 10), y) == pytest.approx(primary.chance)
    sure = torch.full((10, 10), -torch.inf)
    sure[:, 0] = 0.0
    assert tail(sure, y) == pytest.approx(-math.log(1e-7))


def test_the_problem_and_all_other_figures_are_those_of_noisy_digits(tmp_path):
    data = Digits().load(Setup(seed=0, task="t", method="m", device=CPU, workdir=tmp_path))

    class Serving(Tools):
        def dataset(self, run, name, params):
            return data

    def setup():
        return Setup(seed=0, task="t", method="m", device=CPU, workdir=tmp_path, tools=Serving())

    tasks = [kind(noise="sym", rate=0.4) for kind in (DigitsTail, NoisyDigits)]
    mine, other = (task.prepare(setup()) for task in tasks)
    assert torch.equal(mine.problems[0].x, other.problems[0].x)
    assert torch.equal(mine.problems[0].y, other.problems[0].y)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    outcome = Outcome(solution=Solution(model=model), curve=[], kept={}, cost={}, counters={})
    found, plain = (
        task.evaluate(case, [outcome], setup()).metrics
        for task, case in zip(tasks, (mine, other), strict=True)
    )
    with torch.no_grad():
        assert found.pop("tail") == tail(model(mine.hidden.x_test), mine.hidden.y_test)
    assert found.keys() == {"acc_last", "acc_last10", "memorised", "recovered", "clean_fit"}
    assert found == {name: plain[name] for name in found}
