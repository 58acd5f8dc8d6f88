"""The tasks on colour photographs, on a made-up copy: parts, sizes, the
whole way, and what is said when the data are missing.
"""

import pytest
import torch
from bench.builtin.tasks.condensation.condense_cifar10 import CondenseCifar10
from bench.builtin.tasks.condensation.condense_cifar100 import CondenseCifar100
from bench.builtin.tasks.condensation.condense_svhn import CondenseSvhn

from bench.cli import main
from bench.contracts import Outcome
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.condensation import SmallSet, real_rows
from bench.training.data import Examples

CPU = torch.device("cpu")
TASKS = [CondenseCifar10, CondenseCifar100, CondenseSvhn]


class Serving(Tools):
    """Pictures that show their class: a bright line whose place and colour are the class's own."""

    def __init__(self, classes):
        self.classes = classes

    def dataset(self, run, name, params):
        rows = {"train": 12, "test": 4}[params["split"]] * self.classes
        y = torch.arange(rows) % self.classes
        generator = torch.Generator().manual_seed(rows)
        x = torch.randint(160, (rows, 3, 32, 32), generator=generator, dtype=torch.uint8)
        x[torch.arange(rows), y % 3, (y * 3) % 32] = 255
        return Examples(x, y, self.classes)


def setup_of(tmp_path, classes, kind=Setup):
    tools, artifacts = Serving(classes), Artifacts(tmp_path / "artifacts")
    return kind(
        seed=0,
        task="condensation/toy",
        method="condensation/m",
        device=CPU,
        workdir=tmp_path,
        tools=tools,
        artifacts=artifacts,
    )


@pytest.mark.parametrize("task", TASKS)
def test_train_and_validation_are_parts_of_the_training_part_and_the_test_part_is_the_data_s_own(
    task, tmp_path
):
    classes = 100 if task is CondenseCifar100 else 10
    case = task(ipc=2).prepare(setup_of(tmp_path, classes))
    problem, hidden = case.problems[0], case.hidden
    assert (len(problem.y), len(hidden.y_val), len(hidden.y_test)) == (
        12 * classes - 12 * classes // 10,
        12 * classes // 10,
        4 * classes,
    )
    assert (problem.width, problem.depth, problem.flips, problem.budget) == (
        128,
        3,
        task is not CondenseSvhn,
        2 * classes,
    )
    torch.testing.assert_close(problem.x.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)
    assert problem.net().n_features == 2048


@pytest.mark.parametrize("task", TASKS)
def test_the_paper_preset_is_the_authors_protocol(task):
    found = task.card.presets["paper"]
    assert {name: params["ipc"] for name, params in found.variants.items()} == {
        "ipc1": 1,
        "ipc10": 10,
        "ipc50": 50,
    }
    made = task.make({**found.params, **found.variants["ipc10"]})
    assert (
        made.nets,
        made.epochs,
        made.batch_real,
        made.net_epochs,
        made.width,
        made.depth,
        made.lrs,
    ) == (20, 300, 256, 50, 128, 3, (0.01,))


def test_a_set_is_judged_on_every_architecture_and_the_best_look_is_no_less_than_the_last(tmp_path):
    found = CondenseCifar10.card.presets["smoke"]
    task = CondenseCifar10.make(
        {
            **found.params,
            "n_train": 0,
            "n_test": 0,
            "epochs": 10,
            "architectures": ["mlp", "resnet", "vit"],
            "strategy": "",
        }
    )
    case = task.prepare(setup_of(tmp_path, 10))
    rows = real_rows(case.problems[0], setup_of(tmp_path, 10, Run))
    small = SmallSet(x=case.problems[0].x[rows], y=case.problems[0].y[rows], indices=rows)
    score = task.evaluate(
        case,
        [Outcome(solution=small, curve=[], kept={}, cost={}, counters={})],
        setup_of(tmp_path, 10),
    )
    assert all(score.metrics[f"acc_{name}"] is not None for name in ("mlp", "resnet", "vit"))
    assert score.metrics["acc"] > 15  # a line of pixels tells the class; chance is 10
    assert score.metrics["acc_best"] >= score.metrics["acc"]
    assert score.arrays["x"].shape == (10, 3, 32, 32)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn"])
def test_without_the_data_a_task_is_unavailable_and_says_what_to_do(
    name, monkeypatch, capsys, tmp_path
):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nothing"))
    arguments = [
        "run",
        "--device",
        "cpu",
        "--executor",
        "inline",
        "--method",
        "dm",
        "--task",
        f"condense-{name}",
        "--preset",
        "smoke",
        "--results",
        str(tmp_path),
    ]
    with pytest.raises(SystemExit) as done:
        main(arguments)
    said = capsys.readouterr().err
    assert done.value.code == 4
    assert (
        f"unavailable: dm on condense-{name}: the data set {name!r} is not on this machine" in said
    )
    assert "set BENCH_HUB=1" in said
