"""Forgetting rows of Fashion-MNIST: the other rows of its training part are no test rows."""

import torch
from bench.builtin.datasets.fashion_mnist import FashionMnist
from bench.builtin.tasks.unlearning._data import load
from bench.builtin.tasks.unlearning.unlearn_fashion import UnlearnFashion
from real_runs import outcome

from bench.runs.context import Setup
from bench.runs.tools import Tools


def test_parts_are_of_the_training_part_and_the_test_part_is_its_own(real, tmp_path):
    parts = {split: real(FashionMnist(split=split)) for split in ("train", "test")}

    class Parts(Tools):
        def dataset(self, run, name, params):
            return parts[params["split"]]

    run = Setup(
        seed=0,
        task="t",
        method="m",
        device=torch.device("cpu"),
        workdir=tmp_path,
        tools=Parts(),
    )
    task = UnlearnFashion()
    data = load(run, task.data, task.n_train, task.n_val, task.n_pool, task.noise)
    assert (len(data.y), len(data.y_val), len(data.y_pool)) == (10_000, 500, 1_000)
    assert torch.equal(data.y_test, parts["test"].y)
    assert (data.y != data.y_true).sum() == 1_000
    assert data.y_true.bincount().tolist() == [1_000] * 10
    assert (task.originals, task.epochs, task.widths) == (4, 20, (128, 128))


def test_the_smoke_preset_runs(real, capsys, tmp_path):
    real(FashionMnist())
    code, out, err = outcome(
        capsys, "--method", "ft", "--task", "unlearn-fashion", "--preset", "smoke", "--results",
        tmp_path,
    )  # fmt: skip
    assert code == 0, err
    assert "### unlearn-fashion · ten · smoke" in out
