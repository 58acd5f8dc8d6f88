"""What the task of clean and noisy digits hands out, and what it says of known samples."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.tasks.synthetic_data.clean_and_noisy_digits import (
    CleanAndNoisyDigits,
    copies,
    energy_distance,
    equivalent,
)
from poisoning_small import run_of

from bench.checks import check_hidden, check_problem
from bench.contracts import Outcome
from bench.errors import BenchError
from bench.runs.context import Setup
from bench.tracks.synthetic_diffusion import Noised, Samples

TASK = CleanAndNoisyDigits(rows=200, clean=0.3, steps=2, widths=(8,), samples=20)


class Shipped(Setup):
    """Has the digits."""

    def dataset(self, name, **params):
        return Digits().load(self)


def setup_of(folder, seed=0):
    return run_of(folder, seed, "synthetic-data", Shipped)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("noisy-digits")


@pytest.fixture(scope="module")
def case(folder):
    found = TASK.prepare(setup_of(folder))
    assert found.hidden.curve is None
    TASK.reveal(found, setup_of(folder))
    return found


def score(case, rows, folder):
    solution = Samples(rows=rows)
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return TASK.evaluate(case, [outcome], setup_of(folder))


def test_the_case_is_what_the_track_declares(case):
    found, scope = check_problem(case.problems[0], (Noised,))
    check_hidden(case.hidden, found, scope)


def test_clean_rows_come_first_and_the_data_has_a_mean_square_of_one(case):
    problem, hidden = case.problems[0], case.hidden
    assert (problem.sigma == torch.tensor([0.0] * 42 + [1.0] * 98)).all()
    assert torch.equal(problem.x[:42], hidden.clean[:42])
    assert 0.9 < float((problem.x - hidden.clean)[42:].std()) < 1.1
    assert float(hidden.clean.square().mean()) == pytest.approx(1, abs=1e-4)
    assert hidden.held.shape == (60, 12)


def test_the_distance_is_the_sum_over_all_pairs():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(5, 3, generator=generator), torch.randn(4, 3, generator=generator) + 1

    def between(a, b):
        return np.mean([[float((one - other).norm()) for one in a] for other in b])

    slow = 2 * between(x, y) - between(x, x) - between(y, y)
    assert energy_distance(x, y) == pytest.approx(slow, abs=1e-6)


def test_the_distance_is_zero_for_the_same_rows_and_grows_as_they_move_apart():
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    found = [energy_distance(x, x.flip(0) + move) for move in (0.0, 0.5, 1.0, 2.0)]
    assert found[0] == pytest.approx(0, abs=1e-9)
    assert found == sorted(found)


def test_rows_that_are_kept_are_copies_and_new_ones_are_not(case, folder):
    clean = case.hidden.clean[:42]
    assert copies(clean, clean) == 100
    assert copies(clean[:20].flip(1), clean) < 20
    assert score(case, clean[:20].clone(), folder).metrics["copies"] == 100


def test_clean_rows_are_nearer_than_noisy_ones(case, folder):
    near, far = (
        score(case, one[42:].clone(), folder).metrics["energy"]
        for one in (case.hidden.clean, case.problems[0].x)
    )
    assert near < far


def test_equivalent_rows_are_read_off_the_curve_between_its_points():
    sizes, curve = torch.tensor([50, 100, 200]), torch.tensor([0.4, 0.2, 0.3]).double()
    assert equivalent(0.2, sizes, curve) in (pytest.approx(100), pytest.approx(200))
    assert equivalent(0.3, sizes, curve) == pytest.approx(np.sqrt(50 * 100))
    assert equivalent(9.0, sizes, curve) == pytest.approx(50)
    assert equivalent(-1.0, sizes, curve) == pytest.approx(200)


def test_too_few_clean_rows_end_in_a_sentence(folder):
    with pytest.raises(BenchError, match="leaves 14 clean ones"):
        CleanAndNoisyDigits(rows=200).prepare(setup_of(folder))


def test_the_seed_draws_parts_and_noise(case, folder):
    again, other = (TASK.prepare(setup_of(folder, seed)) for seed in (0, 1))
    assert torch.equal(again.problems[0].x, case.problems[0].x)
    assert torch.equal(again.hidden.held, case.hidden.held)
    assert not torch.equal(other.hidden.held, case.hidden.held)
