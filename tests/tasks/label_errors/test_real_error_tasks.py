"""Label errors in real data: the problems are those of the track of noisy labels."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.fashion_mnist import FashionMnist
from bench.builtin.datasets.letter import Letter
from bench.builtin.datasets.satellite import Satellite
from bench.builtin.tasks.label_errors.errors_digits import ErrorsDigits
from bench.builtin.tasks.label_errors.errors_fashion import ErrorsFashion
from bench.builtin.tasks.label_errors.errors_letter import ErrorsLetter
from bench.builtin.tasks.label_errors.errors_satellite import ErrorsSatellite
from bench.builtin.tasks.noisy_labels._noise import transitions
from bench.builtin.tasks.noisy_labels._table import keys
from real_runs import outcome
from serving import Serving

from bench.runs.context import Setup
from bench.training.data import Examples


def prepared(task, folder, data):
    run = Setup(
        seed=0,
        task="t",
        method="m",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Serving(data),
    )
    return task.prepare(run)


def variant(task, name):
    found = task.card.presets["default"]
    return task.make({**found.params, **found.variants[name]})


@pytest.mark.parametrize(("kind", "data"), [(ErrorsLetter, Letter), (ErrorsSatellite, Satellite)])
def test_a_table_has_the_protocol_of_the_digits_and_no_row_twice(real, tmp_path, kind, data):
    for name in ("sym40", "confusion40"):
        task = variant(kind, name)
        twin = variant(ErrorsDigits, "sym40")
        assert (task.epochs, task.lr, task.widths) == (twin.epochs, twin.lr, twin.widths)
        case = prepared(task, tmp_path, real(data()))
        problem, hidden = case.problems[0], case.hidden
        assert (len(problem.y), len(hidden.y_test)) == (4_000, 1_000)
        assert not np.isin(keys(problem.x), keys(hidden.x_test)).any()
        # four standard errors of 4,000 rows that are drawn one by one
        assert float((problem.y != hidden.y_true).double().mean()) == pytest.approx(0.4, abs=0.031)


def test_labels_of_clothes_move_to_what_gce_confuses(tmp_path):
    y = torch.arange(6_000) % 10
    data = Examples(torch.zeros(6_000, 1, 2, 2), y, 10)
    case = prepared(variant(ErrorsFashion, "asym40"), tmp_path, data)
    counts = transitions(case.hidden.y_true.numpy(), case.problems[0].y.numpy(), 10)
    off = {(int(a), int(b)): int(counts[a, b]) for a, b in np.argwhere(counts) if a != b}
    assert off == {(9, 7): 200, (7, 5): 200, (2, 6): 200, (4, 3): 200, (3, 4): 200}


def test_the_smoke_presets_run(real, capsys, tmp_path):
    for dataset in (FashionMnist(), Letter(), Satellite()):
        real(dataset)
    names = "errors-fashion,errors-letter,errors-satellite"
    code, out, err = outcome(
        capsys, "--method", "aum", "--task", names, "--preset", "smoke", "--results", tmp_path
    )
    assert code == 0, err
    for name in names.split(","):
        assert f"### {name} · " in out
