"""Predictors and owners: the shares of each method by hand, limits in which two must agree, and
that the methods resolve what one predictor cannot.
"""

import msgspec
import pytest
import torch
from bench.builtin.methods.open_ended.clusterwise import ClusterwiseRegression
from bench.builtin.methods.open_ended.em import SoftAllocation
from bench.builtin.methods.open_ended.erm import EmpiricalRisk
from bench.builtin.methods.open_ended.osl import SubjectiveLearning
from bench.builtin.methods.open_ended.row_wise import RowWise

from bench.checks import check_problem, check_solution
from bench.errors import InvalidRun, ParameterError
from bench.runs.context import Run
from bench.tracks.open_ended import Problem, Solution

LOSSES = torch.tensor([[[[1.0, 0.0], [5.0, 5.0]]], [[[0.2, 3.0], [1.0, 9.0]]]])
"""Of two nets, one seed, two batches of two rows."""


def two_lines(n=24, rows=6, seed=0, **fields):
    """Batches of y = x and of y = -x, by turns."""
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(n, rows, 1, generator=generator) - 1
    sign = torch.where(torch.arange(n) % 2 == 0, 1.0, -1.0)
    named = {"predictors": 2, "widths": (16,), "steps": 150, "lr": 0.01, **fields}
    return Problem(x=x, y=sign[:, None] * x[..., 0], **named)


def a_run(folder, seed=0):
    return Run(
        seed=seed,
        task="open-ended/toy",
        method="open-ended/x",
        device=torch.device("cpu"),
        workdir=folder,
    )


def answers(solution):
    return solution.model(torch.linspace(-1, 1, 9)[:, None])


def test_osl_gives_a_batch_to_one_net_and_row_wise_each_row():
    whole = SubjectiveLearning().shares(LOSSES, 0.0)
    # means of the batches: net 0 has .5 and 5, net 1 has 1.6 and 5
    assert whole[:, 0, 0].tolist() == [[1.0, 1.0], [0.0, 0.0]]
    rows = RowWise().shares(LOSSES, 0.0)
    assert rows[:, 0, 0].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert rows[:, 0, 1].tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_em_shares_a_batch_by_the_softmax_of_its_means():
    share = SoftAllocation(temperature=2.0, last=2.0).shares(LOSSES, 0.5)
    by_hand = torch.tensor([-0.5 / 2, -1.6 / 2]).softmax(0)
    assert torch.allclose(share[:, 0, 0, 0], by_hand)
    assert torch.equal(share[..., 0], share[..., 1])
    assert torch.allclose(share.sum(0), torch.ones(1, 2, 2))


def test_em_at_the_lowest_temperature_is_osl():
    cold = SoftAllocation(temperature=1e-6, last=1e-6)
    losses = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(cold.shares(losses, 0.3), SubjectiveLearning().shares(losses, 0.3))


def test_the_temperature_falls_geometrically():
    half = SoftAllocation(temperature=0.1, last=0.001).shares(LOSSES, 0.5)
    assert torch.equal(half, SoftAllocation(temperature=0.01, last=0.01).shares(LOSSES, 0.0))


@pytest.mark.parametrize("kind", [SubjectiveLearning, RowWise, SoftAllocation])
def test_with_one_predictor_every_method_is_erm_bit_for_bit(kind, tmp_path):
    problem = two_lines(steps=20)
    one = kind(k=1).solve(problem, a_run(tmp_path))
    erm = EmpiricalRisk().solve(problem, a_run(tmp_path))
    assert torch.equal(answers(one), answers(erm))
    assert one.owner.tolist() == erm.owner.tolist() == [0] * 24


def test_batches_of_one_row_leave_osl_and_row_wise_the_same(tmp_path):
    problem = two_lines(rows=1, steps=20)
    one = SubjectiveLearning().solve(problem, a_run(tmp_path))
    other = RowWise().solve(problem, a_run(tmp_path))
    assert torch.equal(answers(one), answers(other))


def test_a_seed_gets_the_same_bits_whoever_stands_beside_it(tmp_path):
    problems = [two_lines(seed=seed, steps=10) for seed in range(3)]
    method = SubjectiveLearning()
    three = method.solve_stacked(problems, [a_run(tmp_path, seed) for seed in range(3)])
    two = method.solve_stacked(problems[1:], [a_run(tmp_path, seed) for seed in (1, 2)])
    assert torch.equal(answers(three[1]), answers(two[0]))
    assert torch.equal(three[2].owner, two[1].owner)


def test_osl_and_polynomials_tell_two_lines_apart_where_erm_cannot(tmp_path):
    problem = two_lines()
    true = torch.arange(24) % 2
    for kind in (SubjectiveLearning, ClusterwiseRegression):
        solution = kind().solve(problem, a_run(tmp_path))
        agree = (solution.owner == true).double().mean()
        assert float(agree) in (0.0, 1.0), kind
        errors = (answers(solution).T - torch.linspace(-1, 1, 9)).square().mean(1)
        assert float(errors.min()) < 0.01, kind
    flat = EmpiricalRisk().solve(problem, a_run(tmp_path))
    assert float(answers(flat).abs().max()) < 0.5


def test_clusterwise_with_one_polynomial_is_least_squares(tmp_path):
    problem = two_lines(n=10)
    found = ClusterwiseRegression(k=1, degree=3).solve(problem, a_run(tmp_path))
    x, y = problem.x.double().flatten(), problem.y.double().flatten()
    terms = torch.stack([x**power for power in range(4)], 1)
    weights = torch.linalg.lstsq(terms, y[:, None]).solution[:, 0]
    grid = torch.linspace(-1, 1, 9).double()
    by_hand = torch.stack([grid**power for power in range(4)], 1) @ weights
    assert torch.allclose(answers(found)[:, 0].double(), by_hand, atol=1e-4)


def test_every_method_returns_what_the_track_declares(tmp_path):
    problem, scope = check_problem(two_lines(n=6, steps=3), (Problem,))
    for kind in (
        SubjectiveLearning,
        RowWise,
        SoftAllocation,
        EmpiricalRisk,
        ClusterwiseRegression,
    ):
        check_solution(kind().solve(problem, a_run(tmp_path)), problem, scope, (Solution,))


@pytest.mark.parametrize("kind", [SubjectiveLearning, ClusterwiseRegression])
def test_more_predictors_than_allowed_are_refused_in_a_sentence(kind, tmp_path):
    with pytest.raises(InvalidRun, match="k is 3 and the problem allows 2 predictors"):
        kind(k=3).solve(two_lines(), a_run(tmp_path))


def test_a_solution_of_too_many_predictors_is_refused(tmp_path):
    problem, scope = check_problem(two_lines(n=6, steps=3, predictors=3), (Problem,))
    solution = SubjectiveLearning().solve(problem, a_run(tmp_path))
    tight = msgspec.structs.replace(problem, predictors=2)
    with pytest.raises(InvalidRun, match="it has 3 predictors and the problem allows 2"):
        check_solution(solution, tight, scope, (Solution,))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (SoftAllocation, {"temperature": 0.0}),
        (SubjectiveLearning, {"k": -1}),
        (EmpiricalRisk, {"k": 2}),
        (ClusterwiseRegression, {"degree": 10}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)
