"""The tasks: what is known, what is hidden, how scores are judged, and that every method runs."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.breast_cancer import BreastCancer
from bench.builtin.datasets.digits import Digits
from bench.builtin.tasks.positive_unlabeled._metrics import auroc, bias, f1, mean_precision
from bench.builtin.tasks.positive_unlabeled.pu_cancer import PuCancer
from bench.builtin.tasks.positive_unlabeled.pu_digits import PuDigits
from bench.builtin.tasks.positive_unlabeled.pu_gaussians import PuGaussians
from bench.builtin.tasks.positive_unlabeled.spml_synthetic import SpmlSynthetic, one_each
from positive_small import Deaf
from sklearn.metrics import average_precision_score

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import leaves
from bench.tracks.positive_unlabeled import Solution


class _Serving(Deaf):
    def __init__(self, folder):
        self.folder, self.data = folder, {}

    def dataset(self, run, name, params):
        kinds = {"digits": Digits, "breast-cancer": BreastCancer}
        if name not in self.data:
            self.data[name] = kinds[name]().load(
                Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=self.folder)
            )
        return self.data[name]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("positive")
    tools = _Serving(folder)

    def make(task, seed=0):
        return Setup(
            seed=seed,
            task=f"positive-unlabeled/{task.card.name}",
            method="positive-unlabeled/x",
            device=torch.device("cpu"),
            workdir=folder,
            tools=tools,
            artifacts=Artifacts(folder / "cache"),
        )

    return make


ALIKE = {"scar-c", "sar-e"}


def scored(task, case, solution, run):
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], run).metrics


SMALL = (
    PuDigits(count=40),
    PuGaussians(n_train=400, n_test=100, labelling="sar"),
    PuCancer(labelling="sar"),
    SpmlSynthetic(n_train=200, n_test=100),
)


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.card.name)
def test_known_labels_are_true_and_no_field_of_the_problem_leads_to_the_others(made, task):
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    assert bool((hidden.y | ~problem.s).all())
    assert 0 < int(problem.s.sum()) < int(hidden.y.sum())
    torch.testing.assert_close(problem.prior, hidden.y.float().mean(0))
    for name, tensor in leaves(problem):
        if isinstance(tensor, torch.Tensor) and tensor.shape == hidden.y.shape:
            assert not torch.equal(tensor.bool(), hidden.y), name
    other = task.prepare(made(task, 1)).problems[0]
    assert not torch.equal(other.x, problem.x)


def test_exactly_as_many_are_known_as_asked_for_and_more_than_there_are_is_refused(made):
    task = PuDigits(count=60)
    case = task.prepare(made(task))
    assert int(case.problems[0].s.sum()) == 60
    positives = int(case.hidden.y.sum())
    torch.testing.assert_close(case.problems[0].propensity.unique(), torch.tensor([60 / positives]))
    task = PuDigits(count=1000)
    with pytest.raises(InvalidRun, match="positives; ask for no more"):
        task.prepare(made(task))
    task = PuGaussians(labelling="sar", lowest=0.9, highest=0.5)
    with pytest.raises(InvalidRun, match="give a lower and a higher chance"):
        task.prepare(made(task))


def test_a_chance_of_labelling_that_depends_on_the_row_is_that_of_the_paper(made):
    task = PuGaussians(n_train=20000, n_test=100, labelling="sar")
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    drive = problem.x[:, 1]
    place = (drive - drive.min()) / (drive.max() - drive.min())
    torch.testing.assert_close(problem.propensity[:, 0], 0.02 + 0.96 * place)
    positive, known = hidden.y[:, 0], problem.s[:, 0]
    for low in (0.3, 0.5, 0.7):
        near = positive & ((place - low).abs() < 0.05)
        assert float(known[near].float().mean()) == pytest.approx(0.02 + 0.96 * low, abs=0.05)


def test_the_prior_of_a_sample_drawn_apart_is_of_the_rows_that_are_left(made):
    task = PuDigits(count=200, scheme="case-control")
    case = task.prepare(made(task))
    problem, y = case.problems[0], case.hidden.y[:, 0]
    assert float(problem.prior) == pytest.approx(float(y[~problem.s[:, 0]].float().mean()))
    assert float(problem.prior) < float(y.float().mean()) - 0.05


def test_one_label_a_row_is_known_each_of_a_rows_as_often():
    y = torch.zeros(6000, 4, dtype=torch.bool)
    y[:, 1:] = True
    s = one_each(y, np.random.default_rng(0))
    assert bool((s.sum(1) == 1).all())
    np.testing.assert_allclose(s.float().mean(0), [0, 1 / 3, 1 / 3, 1 / 3], atol=0.03)
    assert not bool(one_each(torch.zeros(3, 4, dtype=torch.bool), np.random.default_rng(0)).any())


def test_figures_are_those_of_a_hand_computation():
    z = np.array([2.0, 1.0, -1.0, -2.0])
    y = np.array([True, False, True, False])
    assert auroc(z, y) == 75
    assert auroc(z, np.ones(4, dtype=bool)) is None
    assert f1(z, y) == 50
    assert f1(-np.ones(2), np.zeros(2, dtype=bool)) == 0
    assert bias(z, np.array([True, False, False, False])) == 25
    both = np.stack([y, ~y, np.zeros(4, dtype=bool)], 1)
    wanted = (average_precision_score(y, z) + average_precision_score(~y, z)) / 2
    assert mean_precision(np.stack([z] * 3, 1), both) == pytest.approx(100 * wanted)


def test_estimated_propensities_are_held_against_the_true_ones(made):
    task = SMALL[1]
    run = made(task)
    case = task.prepare(run)
    told = Solution(
        model=lambda x: x[:, :1], propensity=(case.hidden.propensity + 0.1).clamp_max(1)
    )
    assert scored(task, case, told, run)["propensity_mae"] == pytest.approx(10, abs=0.5)
    plain = scored(task, case, Solution(model=lambda x: x[:, :1]), run)
    assert plain["propensity_mae"] is None
    assert plain.keys() == {metric.name for metric in task.card.metrics}


@pytest.mark.parametrize("task", [SMALL[0], SMALL[3]], ids=lambda task: task.card.name)
def test_a_threshold_that_the_test_rows_move_is_invalid(made, task):
    run = made(task)
    case = task.prepare(run)
    columns = case.hidden.y.shape[1]

    def shifted(x):
        z = x.flatten(1)[:, 20 : 20 + columns]
        return z - z.quantile(0.5, dim=0)  # as many positives as the prior says, of these rows

    with pytest.raises(InvalidRun, match="depends on the rows that it is shown together with"):
        scored(task, case, Solution(model=shifted), run)


def test_test_rows_that_a_model_keeps_from_its_reports_are_wiped(made):
    task = SMALL[0]
    case = task.prepare(made(task))
    seen = []

    def keeping(x):
        seen.append(x)
        return x.flatten(1)[:, :1]

    task.watch(case, 0, 1, keeping)
    assert seen
    assert not any(bool(kept.any()) for kept in seen)


@pytest.mark.slow
def test_every_method_runs_on_every_task_and_says_something_of_its_own(run_plan):
    tasks = ("pu-digits", "pu-gaussians", "pu-cancer", "spml-synthetic")
    found = run_plan(
        track="positive-unlabeled", tasks=tasks, preset="smoke", paths=[], device="cpu"
    )
    failed = {
        (record.task, record.method): record.error.message
        for record in found.records
        if record.status != "ok"
    }
    assert failed == {}
    assert {item.status for item in found.plan.not_run} <= {"not_applicable"}
    for task in tasks:
        rows = [record for record in found.records if record.task == task]
        seen = {}
        for row in rows:
            seen.setdefault(str(sorted(row.metrics.items())), set()).add(row.method)
        # one propensity for all rows: scar-c computes what sar-e does
        assert [names for names in seen.values() if len(names) > 1 and names != ALIKE] == [], task
        assert len(rows) >= 15, task


@pytest.mark.parametrize("task", SMALL[:3], ids=lambda task: task.card.name)
def test_the_place_of_a_row_says_nothing_of_its_label(made, task):
    labels = task.prepare(made(task)).hidden.y[:, 0]
    alike = float((labels[1:] == labels[:-1]).float().mean())
    share = float(labels.float().mean())
    by_chance = share**2 + (1 - share) ** 2
    assert abs(alike - by_chance) < 4 * (by_chance * (1 - by_chance) / len(labels)) ** 0.5
