"""What the tasks of regression draw, and how they score."""

import numpy as np
import pytest
import torch
from adversarial_small import CPU
from bench.builtin.datasets.diabetes import Diabetes
from bench.builtin.tasks.regression.friedman import Friedman
from bench.builtin.tasks.regression.progression import Progression
from bench.builtin.tasks.regression.waves import Waves
from scipy import stats

from bench.checks import check_hidden, check_problem
from bench.contracts import Outcome
from bench.errors import BenchError, InvalidRun
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.regression import Problem, Solution

TASKS = [Friedman(), Waves(), Progression()]


class Serving(Tools):
    def __init__(self, data):
        self.data = data

    def dataset(self, run, name, params):
        return self.data

    def report(self, run, step, model):
        """Nobody looks."""


@pytest.fixture(scope="module")
def setup_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regression")
    data = Diabetes().load(Setup(seed=0, task="t", method="m", device=CPU, workdir=folder))

    def make(task, kind=Setup, seed=0):
        return kind(
            seed=seed,
            task=f"regression/{task.card.name}",
            method="m",
            device=CPU,
            workdir=folder,
            tools=Serving(data),
        )

    return make


def score(task, case, model, setup, curve=()):
    outcome = Outcome(
        solution=Solution(model=model), curve=list(curve), kept={}, cost={}, counters={}
    )
    return task.evaluate(case, [outcome], setup)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.card.name)
def test_parts_are_drawn_by_the_seed_and_standardised_by_the_training_rows(task, setup_of):
    one, same, other = (task.prepare(setup_of(task, seed=seed)) for seed in (0, 0, 1))
    problem, hidden = one.problems[0], one.hidden
    assert len(problem.y) == task.n_train
    assert len(hidden.y_test) == task.n_test
    assert len(hidden.y_more) == task.n_more
    for values in (problem.x, problem.y[:, None]):
        torch.testing.assert_close(values.mean(0), torch.zeros(values.shape[1]), rtol=0, atol=1e-5)
        torch.testing.assert_close(values.std(0, correction=0), torch.ones(values.shape[1]))
    assert torch.equal(problem.x, same.problems[0].x)
    assert not torch.equal(problem.x, other.problems[0].x)
    every = torch.cat([problem.x, hidden.x_test, hidden.x_more])
    assert len(every.unique(dim=0)) == len(every)
    checked, scope = check_problem(problem, (Problem,))
    check_hidden(hidden, checked, scope)


def test_the_functions_are_what_the_cards_say(setup_of):
    friedman, waves = Friedman(noise=0.0), Waves(noise=0.0)
    rows = friedman.rows(setup_of(friedman))
    for x, y in zip(rows.x[:20].numpy(), rows.y[:20].numpy(), strict=True):
        bend = 10 * np.sin(np.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2
        assert y == pytest.approx(bend + 10 * x[3] + 5 * x[4])
    assert rows.x.shape[1] == 10
    rows = waves.rows(setup_of(waves))
    for x, y in zip(rows.x[:20].numpy(), rows.y[:20].numpy(), strict=True):
        assert y == pytest.approx(3 * np.sin(4 * x[0]) * np.cos(4 * x[1]))
    assert rows.x.min() >= -1
    noisy = Waves(noise=0.5)
    spread = (noisy.rows(setup_of(noisy)).y - rows.y).std()
    assert abs(spread - 0.5) < 0.03


def test_the_figures_are_those_of_numpy_and_scipy(setup_of):
    task = Friedman()
    case = task.prepare(setup_of(task))
    weights = torch.randn(10, 1, generator=torch.Generator().manual_seed(0)) / 3
    found = score(task, case, lambda x: x @ weights, setup_of(task), [{"step": 1, "rmse": 1.0}])
    said = (case.hidden.x_test @ weights)[:, 0].double().numpy()
    y = case.hidden.y_test.double().numpy()
    known = (case.problems[0].x @ weights)[:, 0].numpy() - case.problems[0].y.numpy()
    expected = {
        "rmse": np.sqrt(np.mean((said - y) ** 2)),
        "mae": np.mean(np.abs(said - y)),
        "r2": 1 - np.sum((said - y) ** 2) / np.sum((y - y.mean()) ** 2),
        "rank_corr": stats.spearmanr(said, y).statistic,
        "train_rmse": np.sqrt(np.mean(known**2)),
    }
    assert found.metrics == pytest.approx(expected, rel=1e-5)
    assert set(found.images) == {"predictions", "epochs"}


def test_the_mean_of_the_targets_has_no_correlation_and_explains_nothing(setup_of):
    task = Progression()
    case = task.prepare(setup_of(task))
    found = score(task, case, lambda x: torch.zeros(len(x), 1), setup_of(task))
    assert found.metrics["rank_corr"] is None
    assert found.metrics["rmse"] == pytest.approx(1, abs=0.2)
    assert found.metrics["r2"] <= 0


def test_held_out_rows_are_training_rows_and_their_figure_is_not_ranked(setup_of):
    task, whole = Waves(holdout=0.25), Waves()
    case, all_rows = task.prepare(setup_of(task)), whole.prepare(setup_of(whole))
    assert (len(case.problems[0].y), len(case.hidden.y_test)) == (150, 50)
    # the last quarter of the same rows, in another scale
    shown, known = case.hidden.x_test, all_rows.problems[0].x[150:]
    assert torch.corrcoef(torch.stack([shown[:, 0], known[:, 0]]))[0, 1] > 0.9999
    found = score(task, case, lambda x: torch.zeros(len(x), 1), setup_of(task))
    assert set(found.metrics) == {"rmse_val"}
    assert found.not_rankable


def test_the_upper_reference_trains_on_more_rows_and_errs_less(setup_of):
    task = Waves(epochs=15)
    case = task.prepare(setup_of(task))
    more = task.train_on_more(case.problems[0], case.hidden, setup_of(task, Run))
    from bench.training.recipe import Recipe

    plain = Recipe().solve(case.problems[0], setup_of(task, Run))
    errors = [
        score(task, case, solution.model, setup_of(task)).metrics["rmse"]
        for solution in (more, plain)
    ]
    assert errors[0] < errors[1] - 0.1


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Progression(n_train=300), "are 622, but there are 442 patients; take fewer"),
        (Waves(n_train=4, holdout=0.99), "leaves none of n_train=4 rows"),
    ],
)
def test_impossible_sizes_end_in_a_sentence(task, said, setup_of):
    with pytest.raises(BenchError, match=said):
        task.prepare(setup_of(task))


def test_labels_are_no_targets_of_this_track(setup_of):
    task = Waves()
    problem = task.prepare(setup_of(task)).problems[0]
    labels = Problem(x=problem.x, y=(problem.y > 0).long())
    with pytest.raises(InvalidRun, match="y"):
        check_problem(labels, (Problem,))
