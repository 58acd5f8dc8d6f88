"""Tracks of few labels where there is nothing left to learn from, or nothing left to ask."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.active_learning.entropy import Entropy
from bench.builtin.methods.positive_unlabeled.nnpu import NonNegativeRisk
from bench.builtin.methods.semi_supervised.fixmatch import FixMatch
from bench.builtin.methods.semi_supervised.sup import LabelledOnly
from bench.builtin.methods.weak_supervision.dev_forest import DevForest
from bench.builtin.methods.weak_supervision.dev_weights import DevWeights
from bench.builtin.tasks.active_learning.al_cifar10 import AlCifar10
from bench.builtin.tasks.active_learning.al_digits import AlDigits
from bench.builtin.tasks.active_learning.al_fashion import AlFashion
from bench.builtin.tasks.positive_unlabeled.pu_cifar10 import PuCifar10
from bench.builtin.tasks.positive_unlabeled.pu_fashion import PuFashion
from bench.builtin.tasks.semi_supervised._task import Parts, SemiTask
from bench.builtin.tasks.semi_supervised.semi_cifar10 import SemiCifar10
from bench.builtin.tasks.semi_supervised.semi_fashion import SemiFashion
from bench.builtin.tasks.weak_supervision.weak_answers import WeakAnswers
from positive_small import Deaf
from real_runs import outcome, without_data
from weak_small import labelled, voted, votes_from

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.training.data import Examples


def clothes(rows):
    """Return pictures of ten classes, grey values from 0 to 255."""
    drawn = torch.Generator().manual_seed(rows)
    x = torch.randint(0, 256, (rows, 1, 28, 28), generator=drawn, dtype=torch.uint8)
    return Examples(x, torch.arange(rows) % 10, 10)


def things(rows, classes):
    """Return pictures in colour, values from 0 to 255."""
    drawn = torch.Generator().manual_seed(rows + classes)
    x = torch.randint(0, 256, (rows, 3, 32, 32), generator=drawn, dtype=torch.uint8)
    return Examples(x, torch.arange(rows) % classes, classes)


class _Serving(Deaf):
    """Serves digits, clothes and pictures in colour, and has a task score reports."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.scored, self.curve = folder, None, []

    def dataset(self, run, name, params):
        if name == "fashion-mnist":
            return clothes(200 if params["split"] == "train" else 50)
        if name.startswith("cifar"):
            return things(30 if params["split"] == "train" else 10, int(name.removeprefix("cifar")))
        return Digits().load(
            Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=self.folder)
        )

    def report(self, run, step, model):
        if self.scored:
            task, case = self.scored
            self.curve.append({"step": step, **task.watch(case, 0, step, model).scores})


def run_of(tools, task, kind=Setup):
    name = f"{task.card.track}/{task.card.name}" if hasattr(task, "card") else "toy/toy"
    return kind(
        seed=0,
        task=name,
        method="x/x",
        device=torch.device("cpu"),
        workdir=tools.folder,
        tools=tools,
        artifacts=Artifacts(tools.folder / "cache"),
    )


def judged(tools, task, case, solve):
    """Return the score of what a method makes of a case, and what is hidden of it."""
    tools.scored, tools.curve = (task, case), []
    solution = solve(case.problems[0], run_of(tools, task, Run))
    tools.scored = None
    task.reveal(case, run_of(tools, task))
    result = Outcome(solution=solution, curve=tools.curve, kept={}, cost={}, counters={})
    return task.evaluate(case, [result], run_of(tools, task))


class _AllLabelled(SemiTask):
    """Thirty pictures of three classes, ten of each."""

    def parts(self, run):
        y = torch.arange(30) % 3
        x = y[:, None, None, None] + torch.rand(
            30, 1, 8, 8, generator=torch.Generator().manual_seed(0)
        )
        return Parts(x=x, y=y, x_test=x[:6], y_test=y[:6]), 3


def test_a_pool_without_rows_gives_a_score_of_labels_alone_and_a_sentence_of_what_reads_it(
    tmp_path,
):
    tools = _Serving(tmp_path)
    task = _AllLabelled(labels=10, steps=5, widths=(8,))
    case = task.prepare(run_of(tools, task))
    assert len(case.problems[0].unlabelled) == 0
    score = judged(tools, task, case, LabelledOnly().solve)
    assert 0 <= score.metrics["acc"] <= 100
    assert score.metrics["pseudo_acc"] is None
    assert score.metrics["used"] is None
    with pytest.raises(InvalidRun, match="the pool is empty, and fixmatch learns from it") as error:
        FixMatch().solve(case.problems[0], run_of(tools, task, Run))
    assert "\n" not in str(error.value)


def test_a_budget_of_the_whole_pool_asks_every_row_once_and_is_scored(tmp_path):
    tools = _Serving(tmp_path)
    task = AlDigits(n_pool=150, start=10, batch=70, budget=140, steps=4)
    case = task.prepare(run_of(tools, task))
    score = judged(tools, task, case, Entropy().solve)
    start = case.problems[0].start.tolist()
    assert sorted([*start, *score.arrays["asked"].tolist()]) == list(range(150))
    assert case.problems[0].oracle.left == 0
    assert score.metrics["acc_final"] is not None


def test_a_row_for_each_label_and_a_class_that_no_known_row_is_of_are_scored(tmp_path):
    tools = _Serving(tmp_path)
    for rows in ({"a_class": 1}, {"start": 3}):
        task = AlDigits(n_pool=150, budget=0, steps=4, **rows)
        case = task.prepare(run_of(tools, task))
        known = case.problems[0].oracle(case.problems[0].start).unique()
        assert len(known) == 10 if "a_class" in rows else len(known) < 10
        assert 0 <= judged(tools, task, case, Entropy().solve).metrics["curve"] <= 100


@pytest.mark.parametrize("method", [DevWeights(), DevForest()], ids=lambda own: own.card.name)
def test_told_labels_of_one_class_alone_still_give_probabilities(tmp_path, method):
    votes, y = votes_from(rows=40, classes=3)
    told = torch.where((y == 1) & (torch.arange(40) < 20), y, -1)
    problem = voted(votes, classes=3, dev_labels=told)
    proba = labelled(method, problem, tmp_path)
    assert proba.shape == (40, 3)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-5)


FASHION = (
    SemiFashion(labels=2, n_train=100, steps=3),
    PuFashion(count=20, n_train=100, steps=3),
    AlFashion(n_pool=100, start=10, budget=20, batch=20, steps=3),
)


@pytest.mark.parametrize("task", FASHION, ids=lambda task: task.card.name)
def test_clothes_are_drawn_class_by_class_and_judged_by_their_own_test_rows(tmp_path, task):
    case = task.prepare(run_of(_Serving(tmp_path), task))
    assert len(case.problems[0].x) == 100
    assert torch.equal(case.hidden.x_test.argmax(0), clothes(50).x.float().argmax(0))
    assert set(task.card.presets) == {"smoke", "extended"}
    assert task.card.test_set == "official"


PAPER = (
    (AlCifar10, "clean", Entropy(), {"start": 10, "budget": 10, "batch": 10, "batch_size": 3}),
    (PuCifar10, "vehicles", NonNegativeRisk(),
     {"count": 6, "batch_size": 3, "positives_a_batch": 2}),
    (SemiCifar10, "lab4", FixMatch(cutoff=0), {"labels": 1, "batch_size": 2, "mu": 1}),
    (SemiCifar10, "ood", FixMatch(cutoff=0), {"labels": 1, "batch_size": 2, "mu": 1}),
)  # fmt: skip


@pytest.mark.parametrize("net", ["cnn", pytest.param("", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("kind", "variant", "method", "sizes"), PAPER, ids=lambda own: getattr(own, "card", own)
)
def test_a_preset_of_a_paper_trains_on_pictures_in_colour(
    tmp_path, kind, variant, method, sizes, net
):
    preset = kind.card.presets["paper"]
    small = {"steps": 3, **({"net": net, "widths": (4, 8)} if net else {})}
    task = msgspec.convert({**preset.params, **preset.variants[variant], **sizes, **small}, kind)
    tools = _Serving(tmp_path)
    case = task.prepare(run_of(tools, task))
    problem = case.problems[0]
    assert (problem.net, problem.x.shape[1:]) == (net or "resnet18", (3, 32, 32))
    assert len(case.hidden.x_test) == 10
    score = judged(tools, task, case, method.solve)
    assert 0 <= score.metrics[task.card.primary.name] <= 100


@pytest.mark.parametrize(("variant", "classes"), [("lab4", 10), ("ood", 100)])
def test_a_pool_of_strangers_is_another_dataset_and_has_no_class_of_the_task(
    tmp_path, variant, classes
):
    task = SemiCifar10(**SemiCifar10.card.presets["paper"].variants[variant] | {"labels": 1})
    case = task.prepare(run_of(_Serving(tmp_path), task))
    pool = case.problems[0].x[case.problems[0].unlabelled]
    assert bool((case.hidden.y_pool < 0).all()) == (variant == "ood")
    # the pool is in another order, and on the scale of the problem
    served = things(30, classes).x.float()
    if variant == "ood":
        pair = [own.mean((1, 2, 3)).sort().values for own in (pool, served)]
        assert float(torch.corrcoef(torch.stack(pair))[0, 1]) > 0.9999
    else:
        assert len(pool) == 20


def test_vehicles_are_the_positive_pictures(tmp_path):
    task = PuCifar10(count=6, net="cnn", widths=(4, 8))
    case = task.prepare(run_of(_Serving(tmp_path), task))
    assert float(case.problems[0].prior) == pytest.approx(0.4)
    assert case.hidden.y_test.flatten().tolist() == [row in (0, 1, 8, 9) for row in range(10)]


def test_without_clothes_and_without_a_language_model_a_sentence_says_how_to_have_them(
    monkeypatch, capsys, tmp_path
):
    called = without_data(monkeypatch, tmp_path)
    methods = "semi-supervised/sup,positive-unlabeled/unlabeled-negative,active-learning/random"
    tasks = ",".join(f"{task.card.track}/{task.card.name}" for task in (*FASHION, WeakAnswers()))
    code, _, err = outcome(
        capsys, "--method", f"{methods},weak-supervision/majority", "--task", tasks,
        "--preset", "smoke", "--results", tmp_path,
    )  # fmt: skip
    assert code == 4
    of_clothes = next(line for line in err.splitlines() if "'fashion-mnist'" in line)
    assert "run 'apt-get install dataset-fashion-mnist'" in of_clothes
    assert of_clothes.endswith("(3 runs)")
    assert "unavailable: majority on weak-answers: the dataset" in err
    assert called == []
