"""The tasks on colour photographs, on a made-up copy: parts, sizes, the
whole way, and what is said when the data are missing.
"""

import pytest
import torch
from bench.builtin.datasets.fashion_mnist import FashionMnist
from bench.builtin.tasks.condensation import _judge
from bench.builtin.tasks.condensation._judge import Judge
from bench.builtin.tasks.condensation.condense_cifar10 import CondenseCifar10
from bench.builtin.tasks.condensation.condense_cifar100 import CondenseCifar100
from bench.builtin.tasks.condensation.condense_fashion import CondenseFashion
from bench.builtin.tasks.condensation.condense_svhn import CondenseSvhn
from real_runs import outcome

from bench.cli import main
from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.condensation import SmallSet, real_rows
from bench.training.data import Examples

CPU = torch.device("cpu")
LOOPS = {"ipc1": (1_000, 1, 1), "ipc10": (10_000, 10, 50), "ipc50": (50_000, 50, 10)}
"""Changes of the images, of these at one net, and its epochs between: VICO-UoE, utils.py."""
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
    for name, loops in LOOPS.items():
        made = task.make({**found.params, **found.variants[name]})
        assert (made.updates, made.inner, made.net_epochs) == loops
        assert (made.nets, made.nets_aug, made.batch_real) == (20, 20, 256)
        assert (made.epochs, made.epochs_augmented(), made.n_val) == (301, 1001, 0)
        assert (made.width, made.depth, made.lrs) == (128, 3, (0.01,))


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


def test_without_validation_images_all_rows_are_trained_on_and_what_needs_them_is_absent_or_refused(
    tmp_path,
):
    size = CondenseCifar10.card.presets["smoke"].params | {
        "n_train": 0,
        "n_val": 0,
        "best": False,
        "strategy": "",
        "architectures": [],
    }
    case = CondenseCifar10.make(size).prepare(setup_of(tmp_path, 10))
    problem, hidden = case.problems[0], case.hidden
    assert (len(problem.y), len(hidden.y_val)) == (120, 0)
    rows = real_rows(problem, setup_of(tmp_path, 10, Run))
    small = SmallSet(x=problem.x[rows], y=problem.y[rows], indices=rows)

    def metrics(task, solution):
        outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
        return task.evaluate(case, [outcome], setup_of(tmp_path, 10)).metrics

    found = metrics(CondenseCifar10.make(size), small)
    assert {"ece", "nll"} <= set(found)
    assert not {"ece_ts", "acc_best"} & set(found)
    with pytest.raises(InvalidRun, match="several learning rates wants validation images, and"):
        metrics(CondenseCifar10.make(size | {"lrs": [0.01, 0.1]}), small)
    asks = SmallSet(x=small.x, y=small.y, temperature="validation")
    with pytest.raises(InvalidRun, match="temperature is fitted on validation images wants"):
        metrics(CondenseCifar10.make(size), asks)


def test_without_anchors_no_net_is_trained_on_other_images_and_the_other_figures_are_the_same(
    tmp_path,
):
    size = CondenseCifar10.card.presets["smoke"].params | {
        "n_train": 0,
        "best": False,
        "architectures": [],
    }
    case = CondenseCifar10.make(size).prepare(setup_of(tmp_path, 10))
    rows = real_rows(case.problems[0], setup_of(tmp_path, 10, Run))
    small = SmallSet(x=case.problems[0].x[rows], y=case.problems[0].y[rows], indices=rows)
    outcome = Outcome(solution=small, curve=[], kept={}, cost={}, counters={})

    def metrics(folder, **given):
        (tmp_path / folder).mkdir()
        task = CondenseCifar10.make(size | given)
        return task.evaluate(case, [outcome], setup_of(tmp_path / folder, 10)).metrics

    whole, alone = metrics("whole"), metrics("alone", anchors=False)
    assert set(whole) - set(alone) == {"recovery", "alpha", "lrs", "beta", "ars"}
    assert alone == {name: whole[name] for name in alone}
    assert "acc_aug" in alone
    assert not list((tmp_path / "alone").rglob("*.safetensors"))
    assert list((tmp_path / "whole").rglob("*.safetensors"))


def test_the_evaluation_with_augmentation_has_epochs_of_its_own(tmp_path, monkeypatch):
    size = CondenseCifar10.card.presets["smoke"].params | {"epochs": 3, "epochs_aug": 5}
    task = CondenseCifar10.make(size | {"n_train": 0})
    case = task.prepare(setup_of(tmp_path, 10))
    judge = Judge(task, case.problems[0], case.hidden, setup_of(tmp_path, 10))
    seen = []
    trained = _judge.train
    monkeypatch.setattr(
        _judge, "train", lambda *given: (seen.append(given[4].epochs), trained(*given))[1]
    )
    rows = real_rows(case.problems[0], setup_of(tmp_path, 10, Run))
    small = SmallSet(x=case.problems[0].x[rows], y=case.problems[0].y[rows])
    for augmented in (False, True):
        judge.accuracy(small, 0.01, judge.seeds[:1], augmented=augmented)
    assert seen == [3, 5]


# Fashion-MNIST ----------------------------------------------------------------------


def test_clothes_have_the_papers_loops_and_are_padded_to_32_pixels(real, tmp_path):
    found = CondenseFashion.card.presets["paper"]
    for kind in ("dc", "dsa"):
        for name, loops in LOOPS.items():
            task = CondenseFashion.make({**found.params, **found.variants[f"{kind}-{name}"]})
            assert (task.updates, task.inner, task.net_epochs) == loops
            assert bool(task.strategy) == (kind == "dsa")
            assert (task.nets, task.epochs, task.epochs_augmented()) == (20, 301, 1001)
    parts = {split: real(FashionMnist(split=split)) for split in ("train", "test")}

    class Parts(Tools):
        def dataset(self, run, name, params):
            return parts[params["split"]]

    run = Setup(seed=0, task="t", method="m", device=CPU, workdir=tmp_path, tools=Parts())
    case = CondenseFashion.make({**found.params, **found.variants["dc-ipc1"]}).prepare(run)
    problem, hidden = case.problems[0], case.hidden
    assert (len(problem.y), len(hidden.y_test), len(hidden.y_val)) == (60_000, 10_000, 0)
    assert (float(problem.mean), float(problem.std)) == pytest.approx((0.2861, 0.3530), abs=2e-3)
    net = problem.net()
    assert (net.padding, net.n_features) == (3, 128 * 4 * 4)


@pytest.mark.parametrize(
    ("method", "more"), [("dm", ""), ("random", "[n_val=0,anchors=false,best=false]")]
)
def test_the_smoke_preset_on_clothes_runs_also_as_the_paper_preset_judges(
    method, more, real, capsys, tmp_path
):
    real(FashionMnist())
    code, out, err = outcome(
        capsys, "--method", method, "--task", f"condense-fashion{more}", "--preset", "smoke",
        "--results", tmp_path,
    )  # fmt: skip
    assert code == 0, err
    assert "### condense-fashion · ipc1" in out


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
