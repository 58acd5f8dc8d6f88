"""Architectures that no method saw: what a set is worth to each, and what stays hidden."""

import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.tasks.condensation._judge import Judge
from bench.builtin.tasks.condensation.condense_architectures import CondenseArchitectures

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.context import Setup
from bench.runs.tools import Tools
from bench.tracks.condensation import SmallSet, real_rows
from bench.tracks.condensation_evaluation import accuracies, logits_of

CPU = torch.device("cpu")
TASK = CondenseArchitectures(n_train=300, epochs=200, nets=2, width=8)


class _Serving(Tools):
    def __init__(self, data):
        self._data = data

    def dataset(self, run, name, params):
        return self._data


@pytest.fixture(scope="module")
def setup_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("architectures")
    data = Digits().load(Setup(seed=0, task="t", method="m", device=CPU, workdir=folder))

    def make():
        return Setup(
            seed=0,
            task="condensation/condense-architectures",
            method="condensation/m",
            device=CPU,
            workdir=folder,
            tools=_Serving(data),
        )

    return make


@pytest.fixture(scope="module")
def case(setup_of):
    return TASK.prepare(setup_of())


def scored(case, small, setup_of):
    outcome = Outcome(solution=small, curve=[], kept={}, cost={}, counters={})
    return TASK.evaluate(case, [outcome], setup_of()).metrics


def test_figures_are_those_of_nets_trained_one_architecture_at_a_time(case, setup_of):
    problem, setup = case.problems[0], setup_of()
    rows = real_rows(problem, setup)
    small = SmallSet(x=problem.x[rows], y=problem.y[rows], indices=rows)
    metrics = scored(case, small, setup_of)
    judge = Judge(TASK, problem, case.hidden, setup_of())
    net, params = judge.trained(small, 0.01, judge.seeds)
    own = float(accuracies(logits_of(net, params, case.hidden.x_test), case.hidden.y_test).mean())
    assert metrics["acc_convnet"] == pytest.approx(own)
    three = [metrics[f"acc_{name}"] for name in ("convnet", "convnet_bn", "lenet")]
    assert metrics["acc"] == pytest.approx(sum(three) / 3)
    assert len(set(three)) == 3
    assert metrics["stored_images"] == 10


def test_every_architecture_learns_more_from_class_means_than_from_wrong_labels(case, setup_of):
    problem = case.problems[0]
    means = torch.stack([problem.x[problem.y == c].mean(0) for c in range(10)])
    right = scored(case, SmallSet(x=means, y=torch.arange(10)), setup_of)
    wrong = scored(case, SmallSet(x=means, y=(torch.arange(10) + 1) % 10), setup_of)
    for name in ("convnet", "convnet_bn"):
        assert right[f"acc_{name}"] > 40 > wrong[f"acc_{name}"]
    assert right["acc_lenet"] > 25 > 15 > wrong["acc_lenet"]


def test_no_image_that_judges_is_in_the_problem(case):
    seen = {tuple(row.tolist()) for row in case.problems[0].x.flatten(1)}
    assert not seen & {tuple(row.tolist()) for row in case.hidden.x_test.flatten(1)}


def test_rows_held_out_are_refused_in_one_sentence(setup_of):
    with pytest.raises(InvalidRun, match=r"holdout is 0\.2, .* leave holdout at 0\.$"):
        CondenseArchitectures(holdout=0.2).prepare(setup_of())
