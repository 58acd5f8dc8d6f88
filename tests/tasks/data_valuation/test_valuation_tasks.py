"""The tasks: what they hide, what they make of values, and that every method runs on all of
them.
"""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.diabetes import Diabetes
from bench.builtin.datasets.digits import Digits
from bench.builtin.datasets.iris import Iris
from bench.builtin.tasks.data_valuation._data import moved
from bench.builtin.tasks.data_valuation._task import dropped
from bench.builtin.tasks.data_valuation.attribution_lds import AttributionLds
from bench.builtin.tasks.data_valuation.attribution_loo import AttributionLoo
from bench.builtin.tasks.data_valuation.value_cleaning import ValueCleaning, repaired
from bench.builtin.tasks.data_valuation.value_exact import ValueExact
from bench.builtin.tasks.data_valuation.value_featnoise import ValueFeatnoise
from bench.builtin.tasks.data_valuation.value_mislabel import ValueMislabel
from bench.builtin.tasks.data_valuation.value_removal import ValueRemoval
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from bench.checks import check_problem, check_solution
from bench.contracts import Outcome
from bench.errors import InvalidRun, ParameterError
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import leaves
from bench.runs.tools import Tools
from bench.tracks.data_valuation import Reported, Solution
from bench.tracks.data_valuation_linear import design, fit, margins, outputs_of

SMALL = {"n_train": 60, "n_val": 40, "n_test": 80}


class _Serving(Tools):
    def __init__(self, folder):
        self.folder, self.data = folder, {}

    def dataset(self, run, name, params):
        kinds = {"digits": Digits, "iris": Iris, "diabetes": Diabetes}
        if name not in self.data:
            self.data[name] = kinds[name]().load(
                Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=self.folder)
            )
        return self.data[name]

    def report(self, run, step, model):
        """Nobody looks."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("valuation")
    tools = _Serving(folder)

    def make(task, seed=0, kind=Setup):
        return kind(
            seed=seed,
            task=f"data-valuation/{task.card.name}",
            method="data-valuation/x",
            device=torch.device("cpu"),
            workdir=folder,
            tools=tools,
            artifacts=Artifacts(folder / "cache"),
        )

    return make


def scored(task, case, solution, run):
    if isinstance(task, AttributionLds | AttributionLoo) and not isinstance(case.hidden, tuple):
        task.reveal(case, run)
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={"solve_cpu_s": 2.0}, counters={})
    return task.evaluate(case, [outcome], run)


# Rows -----------------------------------------------------------------------------------------


def test_exactly_the_share_of_labels_is_moved_and_never_to_itself():
    y = torch.arange(50) % 5
    found, bad = moved(y, 5, 0.3, np.random.default_rng(0))
    assert int(bad.sum()) == 15
    assert torch.equal(found != y, bad)
    assert moved(y, 5, 0.0, np.random.default_rng(0))[0] is y


def test_parts_are_apart_and_only_training_labels_are_wrong_unless_asked_for(made):
    task = ValueMislabel(**SMALL)
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    assert torch.equal(problem.y != hidden.y_true, hidden.bad)
    assert int(hidden.bad.sum()) == 12
    parts = [part.flatten(1) for part in (problem.x, problem.x_val, hidden.x_test)]
    rows = torch.cat(parts)
    assert len(rows.unique(dim=0)) == len(rows) == 180
    noisy = ValueMislabel(**SMALL, val_noise=0.5)
    other = noisy.prepare(made(noisy)).problems[0]
    assert torch.equal(other.x_val, problem.x_val)
    assert int((other.y_val != problem.y_val).sum()) == 20


def test_no_field_of_the_problem_leads_to_the_corrupted_rows(made):
    for task in (ValueMislabel(**SMALL), ValueExact(n_train=14), AttributionLds(**SMALL)):
        case = task.prepare(made(task))
        for name, tensor in leaves(case.problems[0]):
            if isinstance(tensor, torch.Tensor) and len(tensor) == task.n_train:
                assert not torch.equal(tensor, case.hidden.y_true), name
                assert tensor.dtype != torch.bool, name


def test_copies_are_exact_and_noise_on_inputs_is_of_each_columns_spread(made):
    task = ValueMislabel(**SMALL, dup=0.1)
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    assert torch.equal(problem.x[-6:], problem.x[:6])
    assert torch.equal(problem.y[-6:], problem.y[:6])
    assert torch.equal(hidden.bad[-6:], hidden.bad[:6])
    task = ValueFeatnoise(n_train=200, n_val=60, n_test=60, data="diabetes", labels="numbers")
    clean = msgspec.structs.replace(task, rate=0.0)
    case, plain = (one.prepare(made(one)) for one in (task, clean))
    bad = case.hidden.bad
    away = case.problems[0].x - plain.problems[0].x
    assert (away[~bad] == 0).all()
    assert int(bad.sum()) == 40
    assert float(away[bad].std()) == pytest.approx(1, abs=0.15)


def test_a_skewed_training_part_has_the_ratio_asked_for_and_nothing_else_is_skewed(made):
    task = ValueMislabel(n_train=200, n_val=60, n_test=60, imbalance=8.0, rate=0.0)
    case = task.prepare(made(task))
    counts = torch.bincount(case.hidden.y_true, minlength=10)
    assert float(counts[0] / counts[9]) == pytest.approx(8, rel=0.2)
    assert int(counts.sum()) == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": "iris"}, "rows together, and iris has 150; ask for fewer"),
        ({"data": "diabetes"}, "those of diabetes are numbers; use labels=numbers"),
        (
            {"data": "diabetes", "labels": "numbers", "learner": "knn"},
            "learner is 'knn', which is for classes, and .* use learner=ridge",
        ),
        (
            {"data": "diabetes", "labels": "numbers", "imbalance": 4.0},
            "imbalance is 4.0, which is for classes, and .* use imbalance=1",
        ),
        (
            {"data": "diabetes", "labels": "numbers", "val_noise": 0.2},
            "val_noise is 0.2, which is for classes, and .* use val_noise=0",
        ),
        ({"labels": "numbers"}, "those of digits are classes; use labels=classes"),
        ({"n_train": 1000, "imbalance": 50.0}, "too few rows of a class"),
    ],
)
def test_what_a_dataset_cannot_give_is_refused_in_a_sentence(made, fields, said):
    task = ValueFeatnoise(**{"n_train": 100, "n_val": 40, "n_test": 40, **fields})
    with pytest.raises(InvalidRun, match=said):
        task.prepare(made(task))


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (
            ValueMislabel,
            {"data": "diabetes"},
            "data takes a word out of digits, breast-cancer, wine, iris",
        ),
        (ValueMislabel, {"labels": "numbers"}, "has no parameter 'labels'"),
        (AttributionLds, {"learner": "knn"}, "has no parameter 'learner'"),
        (AttributionLoo, {"penalty": 1e-12}, "penalty takes a "),
    ],
)
def test_a_parameter_that_a_task_has_no_use_for_is_refused_before_a_run(kind, fields, said):
    with pytest.raises(ParameterError, match=said):
        kind.make(fields)


@pytest.mark.parametrize(("share", "rows"), [(0.001, 0), (0.999, 40)])
def test_parts_of_no_row_or_of_all_are_refused_in_a_sentence(made, share, rows):
    task = AttributionLds(n_train=40, n_val=20, n_test=6, share=share)
    with pytest.raises(InvalidRun, match=f"share is {share}, which is {rows} of 40 rows; a part"):
        task.prepare(made(task))


@pytest.mark.parametrize("n", [7, 9])
def test_half_of_an_odd_number_of_rows_are_copies_of_others_and_none_of_a_copy(made, n):
    task = ValueMislabel(n_train=n, n_val=4, n_test=4, dup=0.5)
    case = task.prepare(made(task))
    problem, twin = case.problems[0], case.hidden.twin
    assert torch.equal(problem.x[twin], problem.x)
    assert torch.equal(problem.y[twin], problem.y)
    assert int((twin != torch.arange(n)).sum()) == n // 2


def test_a_column_that_does_not_vary_in_few_training_rows_keeps_its_scale(made):
    for seed in range(20):
        task = ValueMislabel(data="iris", n_train=4, n_val=40, n_test=40)
        case = task.prepare(made(task, seed))
        assert float(case.problems[0].x_val.abs().max()) < 100


# Solutions ------------------------------------------------------------------------------------


def test_values_of_a_wrong_shape_or_over_the_budget_are_refused(made):
    task = ValueExact()
    problem = task.prepare(made(task)).problems[0]

    def refused(said, **fields):
        checked, scope = check_problem(problem)
        with pytest.raises(InvalidRun, match=said):
            check_solution(Solution(**fields), checked, scope, (ValueExact.accepts,))

    refused("neither a value nor an attribution")
    refused("n_fits is 1001; the problem allows 1000", value=torch.zeros(10).double(), n_fits=1001)
    refused(r"has the shape \(9,\)", value=torch.zeros(9).double())
    refused("holds nan at row 2", value=torch.tensor([0.0, 1, torch.nan, *[0] * 7]).double())


# Scores ------------------------------------------------------------------------------------------


def test_telling_the_corrupted_rows_is_a_perfect_order_and_dropping_them_the_oracle(made):
    task = ValueMislabel(**SMALL)
    run = made(task)
    case = task.prepare(run)
    found = scored(task, case, task.tell_corrupted(case.problems[0], case.hidden, run), run)
    assert found.metrics["auroc"] == found.metrics["ap"] == found.metrics["recall"] == 100
    assert found.metrics["acc_drop20"] == found.metrics["acc_oracle"]
    assert found.metrics["reliability"] is None
    assert found.metrics.keys() == {metric.name for metric in task.card.metrics}
    halves = torch.stack([torch.arange(60.0), torch.arange(60.0).flip(0)]).double()
    judged = scored(task, case, Solution(value=halves[0], halves=halves, n_fits=10), run)
    assert judged.metrics["reliability"] == -1
    assert judged.metrics["fits_per_s"] == 5
    assert task.watch(case, 0, 100, Reported(value=halves[0])).scores["auroc"] is not None


def test_dropping_rows_is_a_fit_without_them(made):
    task = ValueRemoval(**SMALL)
    case = task.prepare(made(task))
    problem, hidden = case.problems[0], case.hidden
    value = np.random.default_rng(0).standard_normal(60)
    lines = dropped(problem, hidden, value)
    order = np.argsort(value)
    x, x_test = (design(part).numpy() for part in (problem.x, hidden.x_test))
    for name, keep in (("lowest dropped", order[12:]), ("highest dropped", order[:-12])):
        fitted = Ridge(1.0, fit_intercept=False).fit(x[keep], np.eye(10)[problem.y.numpy()[keep]])
        right = fitted.predict(x_test).argmax(1) == hidden.y_test.numpy()
        assert lines[name][4] == pytest.approx(100 * right.mean())


def test_a_clean_training_part_has_nothing_to_find_and_still_rows_to_drop(made):
    task, drop = ValueMislabel(**SMALL, rate=0.0), ValueRemoval(**SMALL, rate=0.0)
    value = Solution(value=torch.arange(60.0).double())
    clean = ValueCleaning(**SMALL, rate=0.0)
    for one, reason in ((task, "no row was corrupted"), (clean, "no row was"), (drop, None)):
        run = made(one)
        found = scored(one, one.prepare(run), value, run)
        assert (found.not_rankable or "").startswith(reason or "")
        assert bool(found.not_rankable) == bool(reason)
    assert scored(clean, clean.prepare(made(clean)), value, made(clean)).metrics["found20"] is None
    few = ValueExact(n_train=4, rate=0.0)
    case = few.prepare(made(few))
    exact = few.enumerate_sets(case.problems[0], case.hidden, made(few))
    assert scored(few, case, exact, made(few)).not_rankable is None


def test_where_all_rows_are_corrupted_nothing_can_be_told_apart_and_no_drop_leaves_right_rows(made):
    task = ValueMislabel(**SMALL, rate=0.999)
    run = made(task)
    found = scored(task, task.prepare(run), Solution(value=torch.arange(60.0).double()), run)
    assert found.not_rankable == "every row was corrupted, so there is nothing to tell apart"
    assert found.metrics["acc_oracle"] is None
    assert found.metrics["acc_drop20"] is not None


def test_labels_are_repaired_from_the_lowest_value_on(made):
    task = ValueCleaning(**SMALL)
    run = made(task)
    case = task.prepare(run)
    problem, hidden = case.problems[0], case.hidden
    line = repaired(problem, hidden, torch.argsort(hidden.bad.int(), descending=True, stable=True))
    x, x_test = (design(part).numpy() for part in (problem.x, hidden.x_test))
    for at, labels in ((0, problem.y), (20, hidden.y_true), (100, hidden.y_true)):
        fitted = Ridge(1.0, fit_intercept=False).fit(x, np.eye(10)[labels.numpy()])
        right = fitted.predict(x_test).argmax(1) == hidden.y_test.numpy()
        assert line[at] == pytest.approx(100 * right.mean())
    oracle = task.tell_corrupted(problem, hidden, run)
    found = scored(task, case, oracle, run).metrics
    worst = scored(task, case, Solution(value=-oracle.value), run).metrics
    best = scored(task, case, task.order_by_test(problem, hidden, made(task, 1)), run).metrics
    assert best["inspected"] <= 20
    assert best["found20"] == 100
    assert found["inspected"] <= 20
    assert found["found20"] == 100
    assert worst["found20"] == 0
    assert worst["acc_mean"] <= found["acc_mean"]


@pytest.mark.parametrize("learner", ["logreg", "knn"])
def test_labels_are_repaired_for_the_same_least_squares_whatever_the_learner(made, learner):
    task, other = ValueCleaning(**SMALL), ValueCleaning(**SMALL, learner=learner)
    lines = [
        repaired(case.problems[0], case.hidden, torch.arange(60))
        for case in (one.prepare(made(one)) for one in (task, other))
    ]
    np.testing.assert_array_equal(*lines)


def test_few_rows_are_held_against_all_their_sets_and_other_estimates_have_no_place(made):
    task = ValueExact(n_train=6, target="banzhaf")
    run = made(task)
    case = task.prepare(run)
    problem = case.problems[0]
    assert (problem.target, problem.max_fits) == ("banzhaf", 1000)
    exact = scored(task, case, task.enumerate_sets(problem, case.hidden, run), run)
    even = scored(task, case, task.split_evenly(problem, case.hidden, run), run)
    assert exact.metrics["rmse"] == 0
    assert even.metrics["rmse"] > 0
    assert even.metrics["spearman"] is None
    off = Solution(value=torch.zeros(6).double(), estimates="shapley")
    assert scored(task, case, off, run).not_rankable == ("it estimates shapley values, not banzhaf")
    off.estimates = None
    assert "does not estimate" in scored(task, case, off, run).not_rankable


def test_the_datamodelling_score_is_the_rank_correlation_with_fits_on_parts(made):
    task = AttributionLds(n_train=40, n_val=20, n_test=6, parts=12)
    run = made(task)
    case = task.prepare(run)
    problem = case.problems[0]
    assert problem.utility is None
    attribution = torch.from_numpy(np.random.default_rng(0).standard_normal((40, 6)))
    found = scored(task, case, Solution(attribution=attribution), run)
    truth = case.hidden[1]
    assert (truth["inside"].sum(1) == 20).all()
    x, x_query = design(problem.x), design(problem.queries.x)
    weights = fit(x, outputs_of(problem.y, 10), truth["inside"][3:4], 0.01)[0]
    answers = margins(x_query @ weights, problem.queries.y)
    torch.testing.assert_close(truth["margins"][3], answers, atol=1e-7, rtol=0)
    each = [
        spearmanr(truth["inside"].double() @ attribution[:, t], truth["margins"][:, t]).statistic
        for t in range(6)
    ]
    assert found.metrics["lds"] == pytest.approx(np.mean(each))
    assert found.metrics["lds_low"] < found.metrics["lds"] < found.metrics["lds_high"]
    fresh = made(task)
    same = (problem.y[:, None] == problem.queries.y).double()
    assert scored(task, case, Solution(attribution=same), fresh).metrics["lds"] is not None
    constant = scored(task, case, Solution(attribution=torch.ones(40, 6).double()), run)
    assert constant.metrics["lds"] is None


def test_fits_without_a_row_are_the_truth_of_their_own_task(made):
    task = AttributionLoo(n_train=40, n_val=20, n_test=6)
    run = made(task)
    case = task.prepare(run)
    task.reveal(case, run)
    lost = case.hidden[1]["lost"]
    found = scored(task, case, Solution(attribution=3 * lost.T.contiguous()), run).metrics
    assert found["loo_r"] == pytest.approx(1)
    assert scored(task, case, Solution(value=torch.ones(40).double()), run).metrics["loo_r"] is None


@pytest.mark.parametrize(("task", "queries"), [(AttributionLoo, 2), (AttributionLds, 3)])
def test_two_or_three_queries_of_four_rows_are_scored_and_drawn(made, task, queries):
    one = task(n_train=4, n_val=2, n_test=queries)
    run = made(one)
    given = torch.from_numpy(np.random.default_rng(0).standard_normal((4, queries)))
    found = scored(one, one.prepare(run), Solution(attribution=given), run)
    assert found.images["rows"].ndim == 3


# Runs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tasks",
    [
        ("value-mislabel", "attribution-loo"),
        pytest.param(
            (
                "value-featnoise",
                "value-removal",
                "value-cleaning",
                "value-exact",
                "attribution-lds",
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=" ".join,
)
def test_every_method_runs_on_every_task_that_takes_it_and_says_something_of_its_own(
    run_plan, tasks
):
    found = run_plan(track="data-valuation", tasks=tasks, preset="smoke", paths=[], device="cpu")
    failed = {
        (record.task, record.method): record.error.message
        for record in found.records
        if record.status != "ok"
    }
    assert failed == {}
    assert {item.status for item in found.plan.not_run} <= {"not_applicable"}
    for task in tasks:
        rows = [record for record in found.records if record.task == task]
        seen = {
            str(sorted((k, v) for k, v in row.metrics.items() if k not in ("fits_per_s", "n_fits")))
            for row in rows
        }
        assert len(seen) == len(rows) >= 10, task
