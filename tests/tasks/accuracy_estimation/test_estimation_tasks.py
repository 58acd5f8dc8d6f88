"""The tasks of accuracy estimation: what they show, and how estimates are judged."""

import numpy as np
import pytest
import torch
from bench.builtin.tasks.accuracy_estimation._task import CORRUPTIONS, Hidden, rank_correlation
from bench.builtin.tasks.accuracy_estimation.estimate_digits import EstimateDigits
from bench.builtin.tasks.accuracy_estimation.estimate_mnist import EstimateMnist

from bench.checks import check_hidden, check_problem
from bench.contracts import Case, Outcome
from bench.errors import InvalidRun
from bench.runs.context import Setup
from bench.runs.tools import Tools
from bench.tracks.accuracy_estimation import Solution
from bench.training.data import Examples

SMALL = {
    "n_train": 60,
    "n_val": 30,
    "n_test": 40,
    "epochs": 3,
    "widths": (8,),
    "severities": (2, 5),
}


def made(rows, side, brightest):
    generator = np.random.default_rng(side)
    y = np.arange(rows) % 10
    x = generator.integers(0, brightest // 4, (rows, 1, side, side))
    x[np.arange(rows), 0, y * side // 10, :] = brightest
    return Examples(torch.from_numpy(x).to(torch.uint8), torch.from_numpy(y), 10)


DATA = {"digits": made(200, 8, 16), "mnist5k": made(200, 28, 255)}


class Serving(Tools):
    def dataset(self, run, name, params):
        return DATA[name]


@pytest.fixture(scope="module")
def setup_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("estimation")

    def make(task, seed=0):
        return Setup(
            seed=seed,
            task=f"accuracy-estimation/{task.card.name}",
            method="accuracy-estimation/x",
            device=torch.device("cpu"),
            workdir=folder,
            tools=Serving(),
        )

    return make


def judged(task, case, accuracy, run):
    solution = Solution(accuracy=torch.as_tensor(accuracy).double())
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], run)


@pytest.mark.parametrize(
    "task", [EstimateDigits(**SMALL), EstimateMnist(**SMALL)], ids=lambda task: task.card.name
)
def test_a_case_keeps_to_its_contract_and_holds_all_sets_in_an_order_of_the_seed(task, setup_of):
    one, other = (task.prepare(setup_of(task, seed)) for seed in (0, 1))
    problem, scope = check_problem(one.problems[0])
    check_hidden(one.hidden, problem, scope)
    real = ["real"] if task.card.name == "estimate-mnist" else []
    assert sorted(one.hidden.kinds) == sorted([*CORRUPTIONS * 2, "clean", *real])
    assert one.hidden.kinds != other.hidden.kinds
    assert all(part.shape == problem.targets[0].shape for part in problem.targets)
    assert all(0 <= float(part.min()) <= float(part.max()) <= 1 for part in problem.targets)
    with torch.no_grad():
        for x, logits in zip(problem.targets, problem.logits, strict=True):
            torch.testing.assert_close(problem.model(x), logits, rtol=0, atol=1e-4)
    assert any(
        not torch.equal(problem.model.weights[name], tensor)
        for name, tensor in problem.second_model.weights.items()
    )


def test_a_row_of_one_set_is_no_copy_of_the_row_at_its_place_in_another(setup_of):
    task = EstimateDigits(**SMALL)
    case = task.prepare(setup_of(task))
    sets = dict(zip(case.hidden.kinds, case.problems[0].targets, strict=True))
    clean, other = sets["clean"], sets["contrast"]

    def apart(rows):
        return float((clean - rows).square().mean())

    # planted: side by side, the net's answers to clean rows would be labels of all their copies
    assert apart(other) > 0.8 * apart(other.roll(1, 0))


def test_estimates_are_judged_as_by_hand():
    task = EstimateMnist()
    right = torch.zeros(3, 10, dtype=torch.bool)
    right[0, :8] = right[1, :5] = right[2, :2] = True
    case = Case(problems=[None], hidden=Hidden(right=right, kinds=("clean", "noise", "real")))
    found = judged(task, case, [90.0, 40.0, 50.0], None).metrics
    assert found == pytest.approx(
        {"mae": 50 / 3, "mae_id": 10, "mae_real": 30, "bias": 10, "spearman": 0.5}
    )
    flat = judged(task, case, [50.0] * 3, None).metrics
    assert flat["spearman"] is None
    best = judged(task, case, [80.0, 50.0, 20.0], None)
    assert best.metrics["mae"] == 0
    assert best.metrics["spearman"] == pytest.approx(1)
    assert best.images["estimates"].dtype == np.uint8
    without = Case(problems=[None], hidden=Hidden(right=right, kinds=("clean", "noise", "blur")))
    assert judged(task, without, [50.0] * 3, None).metrics["mae_real"] is None
    assert rank_correlation(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 1.0])) < -0.99


def test_a_hundred_labelled_rows_are_as_good_as_all_where_a_set_has_no_more(setup_of):
    task = EstimateDigits(**SMALL)
    run = setup_of(task)
    case = task.prepare(run)
    told = task.ask_hundred(case.problems[0], case.hidden, run)
    assert judged(task, case, told.accuracy, run).metrics["mae"] == 0


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (EstimateDigits(n_train=180), "n_train, n_val and n_test are 180, 400, 497"),
        (EstimateDigits(**{**SMALL, "severities": (6,)}), "give one or more of 1, 2, 3, 4, 5"),
        (EstimateDigits(**{**SMALL, "severities": ()}), "give one or more of 1, 2, 3, 4, 5"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_in_a_sentence(task, said, setup_of):
    with pytest.raises(InvalidRun, match=said):
        task.prepare(setup_of(task))
