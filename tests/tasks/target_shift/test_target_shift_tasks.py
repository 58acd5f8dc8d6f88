"""The tasks of target shift: what they draw, and how weights are judged."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.diabetes import Diabetes
from bench.builtin.tasks.target_shift._numbers import PENALTY, fitted
from bench.builtin.tasks.target_shift.label_shift_mnist import LabelShiftMnist
from bench.builtin.tasks.target_shift.target_shift_diabetes import TargetShiftDiabetes
from bench.builtin.tasks.target_shift.target_shift_regression import TargetShiftRegression
from serving import Serving

from bench.checks import check_hidden, check_problem
from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.context import Setup
from bench.tracks.target_shift import Solution
from bench.tracks.target_shift_classes import fit_biases
from bench.training.data import Examples

CPU = torch.device("cpu")
SMALL = {"n_train": 60, "n_val": 40, "n_target": 50, "width": 8, "epochs": 2}


@pytest.fixture(scope="module")
def setup_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shift")
    generator = np.random.default_rng(0)
    y = np.arange(300) % 10
    x = generator.integers(0, 60, (300, 1, 28, 28))
    x[np.arange(300), 0, 2 * y, :] = 250
    digits = Examples(torch.from_numpy(x).to(torch.uint8), torch.from_numpy(y), 10)
    patients = Diabetes().load(Setup(seed=0, task="t", method="m", device=CPU, workdir=folder))

    def make(task, seed=0):
        data = patients if "diabetes" in task.card.datasets else digits
        return Setup(
            seed=seed,
            task=f"target-shift/{task.card.name}",
            method="target-shift/x",
            device=CPU,
            workdir=folder,
            tools=Serving(data),
        )

    return make


def judged(task, case, solution, run):
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], run)


TASKS = [
    LabelShiftMnist(**SMALL),
    TargetShiftRegression(n_source=60, n_target=60, n_test=60),
    TargetShiftDiabetes(),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.card.name)
def test_a_case_keeps_to_its_contract_and_the_true_weights_bound_the_score(task, setup_of):
    one, other = (task.prepare(setup_of(task, seed)) for seed in (0, 1))
    problem, scope = check_problem(one.problems[0])
    check_hidden(one.hidden, problem, scope)
    assert not torch.equal(one.hidden.weights, other.hidden.weights)
    run = setup_of(task)
    told = judged(task, one, task.tell_weights(problem, one.hidden, run), run)
    plain = torch.ones(problem.n_weights, dtype=torch.float64)
    none = judged(task, one, Solution(weights=plain), run)
    assert told.metrics["mse_w"] == 0 < none.metrics["mse_w"]
    assert told.images["weights"].dtype == np.uint8
    assert set(told.metrics) == {metric.name for metric in task.card.metrics}


def test_the_target_has_the_shares_that_were_drawn_and_its_own_rows(setup_of):
    task = LabelShiftMnist(**SMALL, tweak=0.5)
    case = task.prepare(setup_of(task))
    classes, hidden = case.problems[0].classes, case.hidden
    shares = torch.bincount(hidden.y_target, minlength=10) / 50
    torch.testing.assert_close(hidden.weights * classes.shares, shares.double())
    assert 0.3 < float(shares.max()) < 0.7
    torch.testing.assert_close(classes.shares, torch.full((10,), 0.1, dtype=torch.float64))
    most = [
        LabelShiftMnist(**SMALL, alpha=alpha).prepare(setup_of(task)).hidden.weights.max()
        for alpha in (0.1, 100.0)
    ]
    assert most[0] > 2 * most[1]


def test_weights_that_are_known_lose_nothing_and_all_weigh_the_same_calibrated_probabilities(
    setup_of,
):
    task = LabelShiftMnist(**SMALL)
    run = setup_of(task)
    case = task.prepare(run)
    hidden = case.hidden
    told = judged(task, case, Solution(weights=hidden.weights), run).metrics
    assert told["acc_gap"] == 0
    p, y = hidden.p_target.numpy(), hidden.y_target.numpy()
    weights = torch.linspace(0, 1, 10).double()
    right = [
        int(np.argmax(row * weights.numpy())) == label for row, label in zip(p, y, strict=True)
    ]
    found = judged(task, case, Solution(weights=weights), run).metrics
    assert found["acc"] == pytest.approx(100 * np.mean(right))
    classes = case.problems[0].classes
    scale, biases = fit_biases(classes.logits_val, classes.y_val)
    np.testing.assert_allclose(
        p, (scale * classes.logits_target.double() + biases).softmax(1).numpy(), atol=1e-12
    )
    as_it_is = classes.logits_target.argmax(1).numpy() == y
    assert found["acc_none"] == pytest.approx(100 * np.mean(as_it_is))


def test_kernel_ridge_regression_solves_its_weighted_normal_equations():
    generator = np.random.default_rng(0)
    x = torch.from_numpy(generator.standard_normal((15, 2)))
    y = torch.from_numpy(generator.standard_normal(15))
    weights = torch.from_numpy(generator.random(15))
    weights[:4] = 0
    at = torch.from_numpy(generator.standard_normal((3, 2)))
    spread = x.std(0)
    apart = torch.pdist(x / spread).median() ** 2  # twice the squared bandwidth

    def kernel(one, other):
        return (-torch.cdist(one / spread, other / spread).square() / apart).exp()

    share = weights / weights.sum()
    mean = share @ y
    alpha = torch.linalg.solve(
        share.diag() @ kernel(x, x) + PENALTY * torch.eye(15).double(), share * (y - mean)
    )
    torch.testing.assert_close(fitted(x, y, weights, at), mean + kernel(at, x) @ alpha)


def test_only_ratios_of_the_weights_of_rows_count(setup_of):
    task = TASKS[1]
    run = setup_of(task)
    case = task.prepare(run)
    weights = case.hidden.weights
    one, other = (
        judged(task, case, Solution(weights=scale * weights), run).metrics for scale in (1, 8)
    )
    assert one == pytest.approx(other)
    even = judged(task, case, Solution(weights=torch.ones_like(weights)), run).metrics
    assert even["ess"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (LabelShiftMnist(n_train=250, n_val=40), "n_train and n_val are 250 and 40"),
        (TargetShiftDiabetes(width=0.01), "width=0.01 keeps"),
        (TargetShiftRegression(mean=100.0), "with mean=100 and spread=0.5 no source row"),
        (TargetShiftRegression(spread=1e-300), "with mean=1 and spread=1e-300 no source row"),
    ],
)
def test_sizes_that_leave_nothing_are_refused_in_a_sentence(task, said, setup_of):
    with pytest.raises(InvalidRun, match=said.replace(".", r"\.")):
        task.prepare(setup_of(task))
