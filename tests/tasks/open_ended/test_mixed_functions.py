"""The task of open-ended data: what it draws, and how owners and predictors are scored."""

import numpy as np
import pytest
import torch
from bench.builtin.tasks.open_ended.mixed_functions import FUNCTIONS, MixedFunctions, agreement
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from bench.contracts import Outcome
from bench.runs.context import Setup
from bench.tracks.open_ended import Solution


@pytest.fixture
def run(tmp_path):
    return Setup(
        seed=0,
        task="open-ended/mixed-functions",
        method="open-ended/x",
        device=torch.device("cpu"),
        workdir=tmp_path,
    )


def scored(task, case, solution, run):
    return task.evaluate(
        case, [Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})], run
    )


def exact(x):
    return torch.cat([torch.sin(x), torch.cos(x) + 0.5, -x / 2], 1)


def test_a_batch_follows_its_function_and_the_three_are_equally_common(run):
    task = MixedFunctions(batches=30, rows=5, noise=0.0)
    case = task.prepare(run)
    problem, domain = case.problems[0], case.hidden.domain
    assert domain.bincount().tolist() == [10, 10, 10]
    x = problem.x[..., 0].double().numpy()
    for place, function in enumerate(FUNCTIONS.values()):
        mine = (domain == place).numpy()
        assert np.allclose(problem.y.numpy()[mine], function(x[mine]), atol=1e-5)
    assert np.abs(x).max() <= 3


def test_predictors_that_know_the_functions_have_no_error_and_one_that_answers_0_has_theirs(run):
    task = MixedFunctions(batches=30)
    case = task.prepare(run)
    told = Solution(k=3, model=exact, owner=case.hidden.domain)
    found = scored(task, case, told, run)
    assert found.metrics["mse"] < 1e-10
    assert found.metrics["purity"] == found.metrics["ari"] == 100
    assert found.metrics["models_used"] == 3
    assert set(found.images) == {"batches", "predictors"}
    owner = torch.zeros(30, dtype=torch.int64)
    blind = Solution(k=1, model=lambda x: torch.zeros(len(x), 1), owner=owner)
    other = scored(task, case, blind, run).metrics
    grid = np.linspace(-3, 3, 241)
    assert other["mse"] == pytest.approx(
        np.mean([np.mean(function(grid) ** 2) for function in FUNCTIONS.values()])
    )
    assert other["purity"] == pytest.approx(100 / 3)
    assert other["models_used"] == 1


def test_the_reference_has_a_net_for_each_function_whatever_is_allowed(run):
    task = MixedFunctions(batches=30, steps=40, predictors=2)
    case = task.prepare(run)
    told = task.tell_domains(case.problems[0], case.hidden, run)
    told.validate(case.problems[0])
    assert told.k == 3
    assert scored(task, case, told, run).metrics["purity"] == 100


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=2, max_size=30),
    st.permutations(range(5)),
)
@settings(max_examples=60, deadline=None)
def test_the_names_of_predictors_do_not_matter_and_purity_is_at_least_the_commonest_share(
    rows, renamed
):
    owner, domain = (np.array(one) for one in zip(*rows, strict=True))
    found = agreement(owner, domain)
    assert found == pytest.approx(agreement(np.array(renamed)[owner], domain))
    assert found["purity"] >= 100 * np.bincount(domain).max() / len(domain) - 1e-9
    assert found["models_used"] == len(set(owner.tolist()))
    assert found["ari"] == pytest.approx(100 * adjusted_rand_score(domain, owner))
