"""What a valuation cannot give ends in a sentence, not in a number that means nothing."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.data_valuation import least_core as core
from bench.builtin.methods.data_valuation.ame import AverageMarginalEffect
from bench.builtin.methods.data_valuation.beta_shapley import BetaShapley
from bench.builtin.methods.data_valuation.class_wise import scaled
from bench.builtin.methods.data_valuation.dvrl import Reinforced
from bench.builtin.methods.data_valuation.lava import Lava, potentials
from bench.builtin.methods.data_valuation.least_core import LeastCore
from bench.builtin.methods.data_valuation.shapley_perm import PermutationShapley
from bench.builtin.methods.data_valuation.tracin import TracIn
from valuation_small import a_run, clusters

from bench.errors import InvalidRun, ParameterError
from bench.runs.tools import Tools


class Quiet(Tools):
    def report(self, run, step, model):
        """Nobody looks."""


def solved(method, problem, folder):
    return method.solve(problem, a_run(folder, tools=Quiet()))


@pytest.mark.parametrize("kind", [PermutationShapley, BetaShapley])
def test_an_odd_number_of_orders_with_their_reverse_is_refused(kind, tmp_path):
    problem, _ = clusters(n=8)
    with pytest.raises(InvalidRun, match=r"permutations is 7, an odd .*; use an even number"):
        solved(kind(permutations=7, antithetic=True), problem, tmp_path)
    assert solved(kind(permutations=7), problem, tmp_path).n_fits == 7 * 8


def test_a_budget_never_leaves_an_order_without_its_reverse(tmp_path):
    method = PermutationShapley(permutations=40, antithetic=True)
    problem, _ = clusters(n=8, max_fits=5 * 8)
    found = solved(method, problem, tmp_path)
    assert found.n_fits == 4 * 8
    again = solved(PermutationShapley(permutations=4, antithetic=True), problem, tmp_path)
    assert torch.equal(found.stderr, again.stderr)
    assert torch.equal(found.halves, again.halves)
    tight = msgspec.structs.replace(problem, max_fits=15)
    with pytest.raises(InvalidRun, match="fewer than the 16 that an order and its reverse take"):
        solved(method, tight, tmp_path)


def test_orders_that_are_cut_before_their_first_row_are_refused(tmp_path):
    problem, _ = clusters(n=8)
    with pytest.raises(
        InvalidRun, match=r"truncation is 2, and .* no order would begin; use a sma"
    ):
        solved(PermutationShapley(permutations=2, truncation=2.0), problem, tmp_path)


@pytest.mark.parametrize(
    ("method", "fits", "said"),
    [
        (AverageMarginalEffect(), 19, "max_fits is 19, fewer than the 20 sets"),
        (Reinforced(sets=30), 30, "max_fits is 30, fewer than the 31 that one step of 30 sets"),
        (LeastCore(), 2, "max_fits is 2, and the value of all rows and of two sets take 3"),
    ],
    ids=lambda one: getattr(getattr(one, "card", None), "name", ""),
)
def test_a_budget_too_small_for_a_sampler_is_refused_and_one_that_just_fits_is_not(
    method, fits, said, tmp_path
):
    problem, _ = clusters(n=8, max_fits=fits)
    with pytest.raises(InvalidRun, match=said):
        solved(method, problem, tmp_path)
    enough = msgspec.structs.replace(problem, max_fits=fits + 1)
    assert solved(method, enough, tmp_path).n_fits <= fits + 1


def test_more_checkpoints_than_steps_are_refused(tmp_path):
    problem, _ = clusters(n=8, queries=2)
    with pytest.raises(InvalidRun, match=r"checkpoints is 5, and .* has 3 steps; take at most one"):
        solved(TracIn(steps=3), problem, tmp_path)


def test_a_transport_that_does_not_settle_gives_no_values(tmp_path):
    problem, _ = clusters(n=12)
    with pytest.raises(InvalidRun, match=r"not settled in 2000 steps: .* raise entropy, which is"):
        solved(Lava(entropy=1e-6), problem, tmp_path)
    with pytest.raises(ParameterError, match="entropy takes"):
        Lava.make({"entropy": 1e9})


@pytest.mark.parametrize("entropy", [0.02, 0.1, 1000.0])
def test_potentials_that_are_given_belong_to_a_plan_with_the_weights_of_its_rows(entropy):
    cost = torch.from_numpy(np.random.default_rng(0).random((1, 7, 5)))
    f, g = potentials(cost, entropy)
    plan = ((f[:, :, None] + g[:, None] - cost) / entropy).exp() / 35
    assert float((plan.sum(2) * 7 - 1).abs().max()) < 1e-5
    assert float((plan.sum(1) * 5 - 1).abs().max()) < 1e-5


def test_gains_of_a_class_that_cancel_are_not_scaled_up():
    value = torch.tensor([0.1, 0.2, -0.3 + 5e-17, 0.5], dtype=torch.float64)
    y = torch.tensor([0, 0, 0, 1])
    found = scaled(value, torch.full((4,), 0.25).double(), y)
    torch.testing.assert_close(found, torch.tensor([0.1, 0.2, -0.3, 0.25], dtype=torch.float64))


def test_a_solver_that_gives_up_ends_in_a_sentence(monkeypatch):
    def gives_up(*_, **__):
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr("scipy.optimize.nnls", gives_up)
    with pytest.raises(InvalidRun, match=r"3 sets were not solved \(Maximum .*ask for other sets"):
        core.smallest(np.eye(3), np.array([0.9, 0.0, 0.0]), 1.0)
