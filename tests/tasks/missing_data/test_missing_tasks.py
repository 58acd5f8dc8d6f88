"""The tasks of missing values: holes in training and test rows, scores by hand, what is refused."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from bench.builtin.tasks.missing_data._task import completing
from bench.builtin.tasks.missing_data.missing_clusters import MissingClusters
from bench.builtin.tasks.missing_data.missing_linear import MissingLinear
from missing_small import a_run

from bench import MethodCard
from bench.contracts import Outcome
from bench.errors import InvalidRun, ParameterError
from bench.tracks.imputation import Filled, Imputer
from bench.tracks.missing_data import Solution


@pytest.fixture(scope="module")
def clusters():
    return MissingClusters(epochs=2, widths=(8,))


@pytest.fixture(scope="module")
def case(clusters, setups):
    return clusters.prepare(setups("missing-data/missing-clusters"))


@pytest.fixture(scope="module")
def linear():
    return MissingLinear(columns=20, n_train=200, n_test=300)


def scored(task, case, model, setups):
    outcome = Outcome(solution=Solution(model=model), curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], setups("missing-data/x"))


def test_training_and_test_rows_have_holes_and_the_scale_is_that_of_training_cells(case):
    x, test = case.problems[0].x, case.hidden.x_test
    for rows in (x, test):
        assert abs(float(rows.isnan().double().mean()) - 0.5) < 0.05
    assert float(x.nanmean(0).abs().max()) < 1e-5
    assert abs(float(case.hidden.few.isnan().double().mean()) - 0.1) < 0.02
    assert abs(float(case.hidden.most.isnan().double().mean()) - 0.7) < 0.02
    seen = ~test.isnan()
    assert torch.equal(test[seen], case.hidden.whole[seen])


def test_accuracy_and_likelihood_are_those_of_the_labels(clusters, case, setups):
    y, keys = case.hidden.y_test, case.hidden.x_test
    find = completing(keys, torch.nn.functional.one_hot(y, 4).float())
    sure = scored(clusters, case, lambda x: 50 * find(x), setups).metrics
    assert sure["acc"] == 100
    assert sure["nll"] < 1e-6
    flat = scored(clusters, case, lambda x: torch.zeros(len(x), 4), setups).metrics
    assert flat["nll"] == pytest.approx(np.log(4))
    assert flat["confidence_drop"] == pytest.approx(0)


def test_a_model_that_is_less_sure_of_rows_with_more_holes_loses_confidence(clusters, case, setups):
    def model(x):
        seen = (~x.isnan()).float().mean(1, keepdim=True)
        return torch.cat([8 * seen, torch.zeros(len(x), 3)], 1)

    assert scored(clusters, case, model, setups).metrics["confidence_drop"] > 20


def test_a_model_that_fills_rows_by_the_other_test_rows_is_refused(clusters, case, setups):
    def model(x):
        filled = torch.where(x.isnan(), x.nanmean(0), x)
        return filled[:, :4]

    with pytest.raises(InvalidRun, match="depends on the rows that it is shown together"):
        scored(clusters, case, model, setups)


class Peeking(Imputer, frozen=True, kw_only=True):
    """Fills rows by the means of all that it was ever asked to fill, or of those it is asked now."""

    card: ClassVar = MethodCard(name="peeking", title="Peeks", track=("missing-data", "imputation"))
    keeps: bool = True

    def fit(self, x, run):
        seen = []

        def fill(rows):
            seen.append(rows)
            known = torch.cat(seen if self.keeps else seen[-1:])
            return torch.where(rows.isnan(), known.nanmean(0), rows)

        return Filled(table=x.nan_to_num(0.0), fill=fill)


@pytest.mark.parametrize("keeps", [True, False])
def test_an_imputer_that_learns_from_the_test_rows_is_refused(
    clusters, case, setups, tmp_path, keeps
):
    model = Peeking(keeps=keeps).solve(case.problems[0], a_run(tmp_path)).model
    with pytest.raises(InvalidRun, match="depends on the rows that it is shown together"):
        scored(clusters, case, model, setups)


def test_the_reference_sees_complete_rows_in_training_and_test(linear, setups, tmp_path):
    task = MissingLinear(columns=20, n_train=200, n_test=300, noise=0.0)
    case = task.prepare(setups("missing-data/missing-linear"))
    told = task.train_on_complete(case.problems[0], case.hidden, a_run(tmp_path))
    assert scored(task, case, told.model, setups).metrics["r2"] == pytest.approx(1, abs=1e-4)


def test_a_constant_explains_nothing_of_linear_targets(linear, setups):
    case = linear.prepare(setups("missing-data/missing-linear", 1))
    level = float(case.hidden.y_test.mean())
    found = scored(linear, case, lambda x: torch.full((len(x), 1), level), setups)
    assert found.metrics["r2"] == pytest.approx(0, abs=1e-6)
    assert set(found.images) == {"predictions"}


def test_the_optimal_map_on_rows_with_zeros_is_that_of_a_ridge_penalty():
    """E(y - x~'t)^2 = E(y - x't')^2 + (1 - r)/r sum t'_j^2 E x_j^2 for t' = r t (arXiv:2301.13585),
    with cells that are observed with probability r: by all 2^4 masks, weighted.
    """
    generator = np.random.default_rng(0)
    x, rho = generator.standard_normal((50, 4)) @ generator.standard_normal((4, 4)), 0.7
    y, theta = generator.standard_normal(50), generator.standard_normal(4)
    masks = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T
    weights = np.prod(np.where(masks == 1, rho, 1 - rho), 1)
    left = sum(
        w * ((y - (x * mask) @ theta) ** 2).mean() for w, mask in zip(weights, masks, strict=True)
    )
    scaled = rho * theta
    right = ((y - x @ scaled) ** 2).mean() + (1 - rho) / rho * (scaled**2 * (x**2).mean(0)).sum()
    assert left == pytest.approx(right)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (MissingClusters, {"share": 1.0}),
        (MissingClusters, {"epochs": 0}),
        (MissingLinear, {"columns": 1}),
        (MissingLinear, {"noise": -1.0}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)
