"""What the tasks of synthetic data hand out, and what they say of solutions that are known."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.synthetic_data.accumulate import Accumulate
from bench.builtin.methods.synthetic_data.ols import LeastSquares
from bench.builtin.tasks.synthetic_data import clean_and_noisy
from bench.builtin.tasks.synthetic_data.clean_and_noisy import (
    SIZES,
    CleanAndNoisy,
    equivalent,
    matched,
)
from bench.builtin.tasks.synthetic_data.collapse_regression import CollapseRegression, excess
from poisoning_small import run_of

from bench.checks import check_hidden, check_problem
from bench.contracts import Outcome
from bench.errors import BenchError, ParameterError
from bench.runs.context import Setup
from bench.tracks.synthetic_data import Centres, Chain, Fitted, Mixed

CHAIN = CollapseRegression(size=5, rows=20, generations=4)
MIXED = CleanAndNoisy(clean=20, noisy=40)


def setup_of(folder, seed=0):
    return run_of(folder, seed, "synthetic-data", Setup)


@pytest.fixture(scope="module", autouse=True)
def quick_curve():
    """One sample of each size: the curve is most of what a case costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clean_and_noisy, "DRAWS", 1)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="module")
def chain(folder):
    return CHAIN.prepare(setup_of(folder))


@pytest.fixture(scope="module")
def mixed(folder):
    return MIXED.prepare(setup_of(folder))


def score(task, case, solution, folder):
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], setup_of(folder))


def test_cases_are_what_the_track_declares(chain, mixed):
    for case, kind in ((chain, Chain), (mixed, Mixed)):
        found, scope = check_problem(case.problems[0], (kind,))
        check_hidden(case.hidden, found, scope)


# Chains ------------------------------------------------------------------------------------


def test_answers_without_noise_have_variance_one_whatever_the_spectrum(folder):
    for spectrum in ("iso", "power"):
        task = msgspec.structs.replace(CHAIN, spectrum=spectrum)
        hidden = task.prepare(setup_of(folder)).hidden
        assert float((hidden.spectrum * hidden.weights**2).sum()) == pytest.approx(1)


def test_the_first_generation_sees_real_answers_and_real_rows_have_them(chain):
    problem, hidden = chain.problems[0], chain.hidden
    assert torch.equal(problem.y, hidden.answers[0])
    real = problem.real[..., :-1] @ hidden.weights - problem.real[..., -1]
    assert 0.3 < float(real.std()) < 0.7
    assert problem.real.shape == (5, 4, 6)


def test_least_squares_collapses_as_the_theory_says(folder):
    """E excess_n = (n + 1) s^2 d / (T - d - 1), of 200 chains, within three standard errors."""
    task = CollapseRegression(size=5, rows=20, generations=4)
    found = []
    for seed in range(200):
        case = task.prepare(setup_of(folder, seed))
        weights = LeastSquares().solve(case.problems[0], run_of(folder)).weights
        found.append(excess(weights, case.hidden.weights, case.hidden.spectrum).numpy())
    found = np.stack(found)
    theory = np.arange(1, 6) * 0.25 * 5 / (20 - 5 - 1)
    error = found.std(0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - theory) < 3 * error).all()


def test_the_truth_has_no_excess_and_zeros_have_all_of_it(chain, folder):
    hidden = chain.hidden
    truth = Fitted(weights=hidden.weights.expand(5, -1).clone())
    assert score(CHAIN, chain, truth, folder).metrics["excess"] == 0
    none = score(CHAIN, chain, Fitted(weights=torch.zeros(5, 5, dtype=torch.float64)), folder)
    assert none.metrics["excess"] == pytest.approx(1)
    assert none.metrics["r2"] == pytest.approx(0)
    assert none.metrics["growth"] == pytest.approx(1)
    assert set(none.images) == {"generations"}


def test_the_upper_reference_is_accumulation_on_real_answers(chain, folder):
    problem, hidden = chain.problems[0], chain.hidden
    best = CHAIN.tell_answers(problem, hidden, run_of(folder)).weights
    mine = Accumulate().solve(problem, run_of(folder)).weights
    torch.testing.assert_close(best[0], mine[0])
    rows = problem.x.flatten(0, 1).numpy()
    slow = np.linalg.lstsq(rows, hidden.answers.flatten().numpy(), rcond=None)[0]
    np.testing.assert_allclose(best[-1].numpy(), slow, atol=1e-9)


def test_fewer_rows_than_inputs_end_in_a_sentence(folder):
    with pytest.raises(BenchError, match="rows=4 is below size=5"):
        CollapseRegression(size=5, rows=4).prepare(setup_of(folder))


# Clean and noisy rows ----------------------------------------------------------------------


def test_clean_rows_come_first_and_noisy_ones_are_off_by_their_level(mixed):
    problem, hidden = mixed.problems[0], mixed.hidden
    assert torch.equal(problem.x[:20], hidden.clean[:20])
    assert (problem.levels == torch.tensor([0.0] * 20 + [1.0] * 40)).all()
    assert 0.8 < float((problem.x - hidden.clean)[20:].std()) < 1.2


def test_centres_are_matched_in_any_order(mixed, folder):
    true = mixed.hidden.centres
    assert matched(true[[2, 0, 3, 1]], true) == 0
    assert matched(true + 0.5, true) == pytest.approx(0.25)
    found = score(MIXED, mixed, Centres(centres=true[[1, 0, 2, 3]]), folder)
    assert found.metrics["error"] == 0
    assert found.metrics["equivalent"] == pytest.approx(SIZES[-1])
    assert set(found.images) == {"centres", "clean-rows"}


def test_equivalent_rows_are_read_off_the_curve_between_its_points():
    curve = 10.0 / torch.tensor(SIZES, dtype=torch.float64)
    assert equivalent(10 / 100, curve) == pytest.approx(100)
    assert equivalent(10 / 40, curve) == pytest.approx(40)
    assert equivalent(50.0, curve) == pytest.approx(SIZES[0])
    assert equivalent(0.0, curve) == pytest.approx(SIZES[-1])


def test_too_few_clean_rows_end_in_a_sentence(folder):
    with pytest.raises(BenchError, match="clean=9 is below twice size=5"):
        CleanAndNoisy(clean=9).prepare(setup_of(folder))


def test_the_seed_draws_centres_and_rows(folder, chain, mixed):
    for task, case in ((CHAIN, chain), (MIXED, mixed)):
        again, other = (task.prepare(setup_of(folder, seed)) for seed in (0, 1))
        assert torch.equal(again.problems[0].x, case.problems[0].x)
        assert not torch.equal(other.problems[0].x, case.problems[0].x)


def test_no_real_rows_and_one_dimension_are_refused():
    with pytest.raises(ParameterError, match=r"share=0\.0; share takes a number above 0"):
        CollapseRegression(share=0.0)
    with pytest.raises(ParameterError, match="size=1; size takes a whole number at least 2"):
        CleanAndNoisy(size=1)
    with pytest.raises(ParameterError, match="spread"):
        CleanAndNoisy(spread=1e200)
