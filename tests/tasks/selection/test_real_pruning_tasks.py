"""Choosing among the rows of real data: its own test part, or rows that are no copies."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.fashion_mnist import FashionMnist
from bench.builtin.datasets.letter import Letter
from bench.builtin.datasets.satellite import Satellite
from bench.builtin.tasks.noisy_labels._table import keys
from bench.builtin.tasks.selection.prune_digits import PruneDigits
from bench.builtin.tasks.selection.prune_fashion import PruneFashion
from bench.builtin.tasks.selection.prune_letter import PruneLetter
from bench.builtin.tasks.selection.prune_satellite import PruneSatellite
from real_runs import outcome
from serving import Serving

from bench.runs.context import Setup
from bench.runs.tools import Tools

CPU = torch.device("cpu")


class Parts(Tools):
    def __init__(self, **data):
        self.data = data

    def dataset(self, run, name, params):
        return self.data[params["split"]]


def prepared(task, folder, tools, seed=0):
    return task.prepare(
        Setup(seed=seed, task="t", method="m", device=CPU, workdir=folder, tools=tools)
    )


@pytest.mark.parametrize(("kind", "data"), [(PruneLetter, Letter), (PruneSatellite, Satellite)])
def test_of_a_table_no_row_to_choose_is_equal_to_one_that_is_judged_by(real, tmp_path, kind, data):
    task, tools = kind(label_noise=0.1), Serving(real(data()))
    for name in ("epochs", "lr", "widths", "fractions", "nets", "batch_size"):
        assert getattr(task, name) == getattr(PruneDigits(), name)
    judged = []
    for seed in (0, 1):
        case = prepared(task, tmp_path, tools, seed)
        problem, hidden = case.problems[0], case.hidden
        assert (len(problem.y), len(hidden.y_test), int(hidden.wrong.sum())) == (4_000, 1_000, 400)
        assert not np.isin(keys(problem.x), keys(hidden.x_test)).any()
        torch.testing.assert_close(
            problem.x.mean(0), torch.zeros(problem.x.shape[1]), rtol=0, atol=1e-4
        )
        torch.testing.assert_close(problem.x.std(0), torch.ones(problem.x.shape[1]))
        judged.append(hidden.y_test)
    assert not torch.equal(*judged)


def test_clothes_are_judged_on_their_own_test_part_and_chosen_among_class_by_class(real, tmp_path):
    train, test = real(FashionMnist()), real(FashionMnist(split="test"))
    case = prepared(PruneFashion(), tmp_path, Parts(train=train, test=test))
    problem, hidden = case.problems[0], case.hidden
    assert hidden.y_true.bincount().tolist() == [1_000] * 10
    assert torch.equal(hidden.y_test, test.y)
    assert torch.equal((hidden.x_test * 255).round().to(torch.uint8), test.x)
    assert (float(problem.x.min()), float(problem.x.max())) == (0, 1)
    assert problem.budgets == (1_000, 3_000, 5_000)


def test_the_smoke_presets_run(real, capsys, tmp_path):
    for dataset in (FashionMnist(), Letter(), Satellite()):
        real(dataset)
    names = "prune-fashion,prune-letter,prune-satellite"
    code, out, err = outcome(
        capsys, "--method", "el2n", "--task", names, "--preset", "smoke", "--results", tmp_path
    )
    assert code == 0, err
    for name in names.split(","):
        assert f"### {name} · " in out
