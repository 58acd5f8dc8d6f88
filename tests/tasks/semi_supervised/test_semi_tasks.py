"""The tasks: what is labelled, what is hidden, how answers are judged, and that every method runs."""

import math

import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.datasets.mnist5k import Mnist5k
from bench.builtin.tasks.semi_supervised._task import pool_figures
from bench.builtin.tasks.semi_supervised.semi_digits import SemiDigits
from bench.builtin.tasks.semi_supervised.semi_gaussians import SemiGaussians
from bench.builtin.tasks.semi_supervised.semi_mnist import SemiMnist
from semi_small import Deaf
from torch.nn import functional as F

from bench.checks import check_problem
from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import leaves
from bench.tracks.semi_supervised import Solution, View, viewed
from bench.training.resample import affine_maps, resample


class _Serving(Deaf):
    def __init__(self, folder):
        self.folder, self.data = folder, {}

    def dataset(self, run, name, params):
        kinds = {"digits": Digits, "mnist5k": Mnist5k}
        if name not in self.data:
            self.data[name] = kinds[name]().load(
                Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=self.folder)
            )
        return self.data[name]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("semi")
    tools = _Serving(folder)

    def make(task, seed=0):
        return Setup(
            seed=seed,
            task=f"semi-supervised/{task.card.name}",
            method="semi-supervised/x",
            device=torch.device("cpu"),
            workdir=folder,
            tools=tools,
            artifacts=Artifacts(folder / "cache"),
        )

    return make


def scored(task, case, solution, run):
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], run).metrics


TASKS = (
    SemiDigits(labels=4),
    SemiMnist(pool="mismatch", labels=10),
    SemiMnist(pool="other-source", labels=4),
    SemiGaussians(shift=0.5),
)


@pytest.mark.parametrize("task", TASKS, ids=["digits", "mismatch", "other-source", "gaussians"])
def test_few_rows_are_labelled_and_no_field_leads_to_the_labels_of_the_pool(made, task):
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    check_problem(problem)
    assert len(problem.y) == len(problem.labelled)
    assert len(problem.labelled) + len(problem.unlabelled) == len(problem.x)
    assert not bool(torch.isin(problem.labelled, problem.unlabelled).any())
    for name, tensor in leaves(problem):
        if isinstance(tensor, torch.Tensor):
            assert not (
                tensor.shape == hidden.y_pool.shape and torch.equal(tensor, hidden.y_pool)
            ), name
    counts = torch.bincount(problem.y, minlength=problem.n_classes)
    if not isinstance(task, SemiGaussians):
        assert (counts == task.labels).all()
    other = task.prepare(made(task, 1)).problems[0]
    assert not torch.equal(other.x[other.labelled], problem.x[problem.labelled])


def test_strangers_are_of_no_class_of_the_task_and_as_many_as_asked_for(made):
    task = TASKS[1]
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    assert problem.n_classes == 6
    assert len(hidden.y_pool) == 1200
    assert int((hidden.y_pool == -1).sum()) == 720
    assert set(hidden.y_test.tolist()) == set(range(6))
    rows = torch.cat([problem.x, hidden.x_test]).flatten(1)
    assert len(rows.unique(dim=0)) == len(rows)


def test_a_pool_of_another_source_has_its_own_rows_alone(made):
    task = TASKS[2]
    case = task.prepare(made(task))
    assert len(case.problems[0].unlabelled) == 1797
    assert case.problems[0].x.shape == (40 + 1797, 1, 14, 14)
    assert len(case.hidden.y_test) == 1000


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (SemiDigits(labels=500), "class 0 has 14. rows; ask for fewer"),
        (SemiDigits(unlabelled_classes=10), "leave at least one with labels"),
        (SemiMnist(pool="mismatch", pool_rows=4000), "and there are 16.. strangers"),
    ],
)
def test_what_the_data_cannot_give_is_refused_in_a_sentence(made, task, said):
    with pytest.raises(InvalidRun, match=said):
        task.prepare(made(task))


def test_a_class_may_be_left_without_labels(made):
    task = SemiDigits(labels=1, unlabelled_classes=2)
    problem = task.prepare(made(task)).problems[0]
    assert sorted(problem.y.tolist()) == list(range(8))
    assert problem.n_classes == 10


# Views ------------------------------------------------------------------------------------------


def test_a_view_that_is_turned_by_a_quarter_is_that_picture_and_nothing_else_moves():
    x = torch.randn(1, 1, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    drawn = torch.full((1, 1, 8), 0.5)
    fill = torch.zeros(1)
    still = viewed(x, View(rotation=90, zoom=0.3, shear=0.3, shift=2, contrast=0.4), drawn, fill)
    torch.testing.assert_close(still, x, rtol=0, atol=1e-5)
    drawn[..., 0] = 1.0
    found = viewed(x, View(rotation=90), drawn, fill)
    torch.testing.assert_close(found, x.rot90(1, (-2, -1)), rtol=0, atol=1e-4)


def test_a_shift_is_in_pixels_contrast_leaves_what_is_blank_and_the_square_is_as_large_as_said():
    x = torch.randn(1, 1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    fill = torch.tensor([-1.0])
    drawn = torch.full((1, 1, 8), 0.5)
    drawn[..., 3] = 1.0  # as far to the right as it goes
    moved = viewed(x, View(shift=2.0), drawn, fill)
    torch.testing.assert_close(moved[..., 2:], x[..., :-2], rtol=0, atol=1e-4)
    torch.testing.assert_close(moved[..., :2], torch.full_like(x[..., :2], -1.0))
    drawn = torch.full((1, 1, 8), 0.5)
    drawn[..., 5] = 1.0
    bright = viewed(x, View(contrast=0.4), drawn, fill)
    torch.testing.assert_close(bright + 1, 1.4 * (x + 1), rtol=0, atol=1e-4)
    blank = viewed(x, View(blank=3), torch.rand(1, 1, 8), fill)
    assert int(((blank - x).abs() > 1e-4).sum()) == 9
    assert int((blank == -1).sum()) >= 9


def test_a_view_has_the_bits_of_the_plain_maps_of_a_resample():
    view, generator = View(rotation=30, zoom=0.2, shear=0.3, shift=0.9), torch.Generator()
    for members, rows, height, width in (
        (1, 1, 8, 8),
        (3, 33, 8, 8),
        (2, 96, 28, 28),
        (1, 7, 6, 9),
    ):
        x = torch.randn(members, rows, 1, height, width, generator=generator)
        drawn = torch.rand(members, rows, 8, generator=generator)
        fill = torch.randn(members, generator=generator)
        number = (2 * drawn.flatten(0, 1) - 1).T
        maps = affine_maps(
            number[0] * math.radians(30),
            number[1] * 0.3,
            number[2] * 0.2,
            number[3] * 0.9 / width,
            number[4] * 0.9 / height,
            like=number[0],
        )
        blank = fill.repeat_interleave(rows)[:, None, None, None]
        plain = resample(x.flatten(0, 1), maps, blank).view_as(x)
        assert torch.equal(viewed(x, view, drawn, fill), plain)


# Scores -----------------------------------------------------------------------------------------


def test_figures_of_the_pool_are_those_of_a_hand_computation(made):
    class Hidden:
        y_pool = torch.tensor([0, 1, -1, 1])

    pseudo = F.one_hot(torch.tensor([0, 0, 1, 1]), 2).float()
    told = Solution(model=None, pseudo=pseudo, weight=torch.tensor([1.0, 0.5, 0.25, 0.0]))
    found = pool_figures(told, Hidden)
    assert found["pseudo_acc"] == pytest.approx(200 / 3)
    assert found["used"] == 75
    assert found["stranger_weight"] == pytest.approx(0.25 / 0.5)
    assert set(pool_figures(Solution(model=None), Hidden).values()) == {None}


def test_the_accuracy_of_a_linear_classifier_is_exact_and_that_of_another_counted(made):
    task = SemiGaussians(shift=0.5)
    run = made(task)
    case = task.prepare(run)
    hidden, mean = case.hidden, case.hidden.mean
    best = task.know_mean(case.problems[0], hidden, run)
    wanted = 100 - 50 * math.erfc(1.5 / math.sqrt(2))
    assert scored(task, case, best, run)["acc"] == pytest.approx(wanted, abs=1e-4)
    assert wanted == pytest.approx(93.3, abs=0.05)
    w = torch.randn(50, generator=torch.Generator().manual_seed(0)) + mean.float()

    def bent(x):
        z = (x @ w + 0.5) ** 3
        return torch.stack([-z, z], 1)

    def straight(x):
        z = x @ w + 0.5
        return torch.stack([-z, z], 1)

    one, other = (
        scored(task, case, Solution(model=model), run)["acc"] for model in (bent, straight)
    )
    assert one != other
    assert one == pytest.approx(other, abs=1.0)
    away = case.problems[0].x[case.problems[0].unlabelled][hidden.y_pool == 1].mean(0)
    assert float((away - mean).norm()) == pytest.approx(0.5, abs=0.25)


def test_a_threshold_that_the_test_rows_move_is_invalid(made):
    task = TASKS[0]
    run = made(task)
    case = task.prepare(run)

    def shifted(x):
        z = x.flatten(1)[:, 20:30]
        return z - z.mean(0)  # as often each class as the prior says

    with pytest.raises(InvalidRun, match="depends on the rows that it is shown together with"):
        scored(task, case, Solution(model=shifted), run)


def test_test_rows_that_a_model_keeps_from_its_reports_are_wiped(made):
    task = TASKS[0]
    case = task.prepare(made(task))
    seen = []

    def keeping(x):
        seen.append(x)
        return x.flatten(1)[:, :10]

    task.watch(case, 0, 1, keeping)
    assert seen
    assert not any(bool(kept.any()) for kept in seen)


def test_metrics_are_those_of_the_card(made):
    for task in TASKS:
        run = made(task)
        case = task.prepare(run)
        classes = case.problems[0].n_classes
        pool = len(case.problems[0].unlabelled)

        def model(x, classes=classes):
            return x.flatten(1)[:, :classes]

        told = Solution(
            model=model,
            average=model,
            pseudo=torch.full((pool, classes), 1 / classes),
            weight=torch.ones(pool),
        )
        assert scored(task, case, told, run).keys() == {metric.name for metric in task.card.metrics}


@pytest.mark.slow
def test_every_method_runs_on_every_task_and_says_something_of_its_own(run_plan):
    tasks = ("semi-digits", "semi-mnist", "semi-gaussians")
    found = run_plan(track="semi-supervised", tasks=tasks, preset="smoke", paths=[], device="cpu")
    failed = {
        (record.task, record.method): record.error.message
        for record in found.records
        if record.status != "ok"
    }
    assert failed == {}
    assert {item.status for item in found.plan.not_run} <= {"not_applicable"}
    for task in tasks:
        rows = [record for record in found.records if record.task == task]
        assert len({str(sorted(row.metrics.items())) for row in rows}) == len(rows) >= 9, task


@pytest.mark.parametrize(
    "task", [*TASKS, SemiMnist(labels=4)], ids=lambda task: str(task.card.name)
)
def test_the_place_of_a_row_in_the_pool_says_nothing_of_its_label(made, task):
    labels = task.prepare(made(task)).hidden.y_pool
    alike = float((labels[1:] == labels[:-1]).float().mean())
    shares = labels.unique(return_counts=True)[1] / len(labels)
    by_chance = float(shares.square().sum())
    assert abs(alike - by_chance) < 4 * (by_chance * (1 - by_chance) / len(labels)) ** 0.5
