"""Methods that read holes: formulas by hand, and limits in which two must agree."""

import msgspec
import pytest
import torch
from bench.builtin.methods.imputation.mean import ColumnMean
from bench.builtin.methods.missing_data import mean_early
from bench.builtin.methods.missing_data._promissing import with_both_shares, with_share
from bench.builtin.methods.missing_data.gradient_boosting import GradientBoosting
from bench.builtin.methods.missing_data.m_promissing import CompensatedPromissing
from bench.builtin.methods.missing_data.mask_indicator import MaskIndicator, with_mask
from bench.builtin.methods.missing_data.mean_early import MeanEarly
from bench.builtin.methods.missing_data.naive_sgd import NaiveSgd
from bench.builtin.methods.missing_data.promissing import Promissing
from missing_small import a_run, class_problem, low_rank, value_problem

from bench.checks import check_problem, check_solution
from bench.errors import InvalidRun, ParameterError
from bench.tracks.missing_data import Problem, Solution, least_squares

NAN = float("nan")
ALL = (
    MaskIndicator(),
    Promissing(),
    CompensatedPromissing(),
    NaiveSgd(),
    GradientBoosting(trees=3),
    MeanEarly(),
)
ROWS = torch.tensor([[1.0, NAN, -2.0, NAN], [0.5, 1.0, 2.0, 3.0]])


def named(method):
    return type(method).card.name


@pytest.mark.parametrize("method", ALL, ids=named)
@pytest.mark.parametrize("make", [class_problem, value_problem])
def test_every_method_returns_what_the_track_declares(method, make, tmp_path):
    problem, scope = check_problem(make(), (Problem,))
    solution = method.solve(make(), a_run(tmp_path))
    check_solution(solution, problem, scope, (Solution,))
    rows = low_rank(rows=7, seed=3)[1]
    said = solution.model(rows)
    assert said.shape == (7, problem.n_classes)
    assert torch.allclose(solution.model(rows[2:3]), said[2:3], atol=1e-5)


def test_what_nets_are_fed_by_hand():
    assert with_mask(ROWS)[0].tolist() == [1, 0, -2, 0, 0, 1, 0, 1]
    assert with_share(ROWS).tolist() == [[1, 0, -2, 0, 0.5], [0.5, 1, 2, 3, 1]]
    assert with_both_shares(ROWS)[:, -1].tolist() == [0.5, 0.0]


@pytest.mark.parametrize("kind", [Promissing, CompensatedPromissing])
def test_without_holes_the_first_layer_is_a_plain_one(kind, tmp_path):
    problem = class_problem(share=0.0)
    rows = low_rank(rows=7, seed=3, share=0.0)[0]
    pruned = kind().solve(problem, a_run(tmp_path)).model(rows)
    plain = ColumnMean().solve(problem, a_run(tmp_path)).model(rows)
    assert torch.allclose(pruned, plain, atol=1e-5)


def test_the_first_layer_scales_its_bias_by_the_share_of_observed_inputs(tmp_path):
    problem = class_problem()
    method = CompensatedPromissing()
    # a stack is built for encoded rows, which have a column more
    encoded = msgspec.structs.replace(problem, x=with_share(problem.x))
    seeds = method.gather([encoded], [a_run(tmp_path)])
    nets = method.stack(seeds)
    with torch.no_grad():
        nets.biases[0].uniform_(-1, 1)
        nets.unknown.uniform_(-1, 1)
    rows = problem.x[:5]
    q = (~rows.isnan()).float().mean(1, keepdim=True)
    weight, bias = nets.weights[0][0], nets.biases[0][0]
    by_hand = (rows.nan_to_num(0.0) @ weight.T + q * bias + (1 - q) * nets.unknown[0]).relu()
    assert torch.allclose(nets.features(with_share(rows)[None])[0], by_hand, atol=1e-6)
    assert torch.allclose(nets.member(0).features(with_share(rows)), by_hand, atol=1e-6)


def test_a_net_without_a_hidden_layer_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(InvalidRun, match="widths is empty, and the method changes the first"):
        Promissing().solve(class_problem(widths=()), a_run(tmp_path))


def test_least_squares_is_that_of_the_normal_equations_and_of_the_least_norm():
    problem = value_problem(share=0.0)
    x, y = problem.x.double(), problem.y.double()
    ones = torch.cat([x, torch.ones(len(x), 1)], 1)
    by_hand = ones @ torch.linalg.lstsq(ones, y[:, None]).solution
    assert torch.allclose(least_squares(problem)(problem.x).double(), by_hand, atol=1e-5)
    few = value_problem(share=0.0, rows=4)
    assert torch.allclose(least_squares(few)(few.x)[:, 0], few.y, atol=1e-4)


def test_averaged_sgd_on_two_rows_by_hand(tmp_path):
    x = torch.tensor([[1.0, NAN], [NAN, 2.0]])
    problem = Problem(x=x, y=torch.tensor([1.0, -1.0]), n_classes=1, net="least-squares")
    found = NaiveSgd().solve(problem, a_run(tmp_path)).model(torch.eye(2))[:, 0]
    # the step is 1 / 2.5; the first row moves its weight by .4, the second by -.8
    orders = [(0.4, -0.8 / 2), (0.4 / 2, -0.8)]
    assert any(torch.allclose(found, torch.tensor(order)) for order in orders)


def test_boosting_reads_holes_that_say_the_class(tmp_path):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 2, generator=generator)
    y = torch.rand(200, generator=generator) < 0.5
    x[y, 0] = NAN
    problem = Problem(x=x, y=y.long(), n_classes=2)
    said = GradientBoosting(trees=5).solve(problem, a_run(tmp_path)).model(x).argmax(1)
    assert torch.equal(said.bool(), y)


def test_the_mask_tells_a_net_what_zeros_do_not(tmp_path):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=generator)
    y = torch.rand(200, generator=generator) < 0.5
    x[y, 0] = NAN
    fields = {"widths": (16,), "epochs": 30, "batch_size": 32, "optimiser": "adam", "lr": 0.02}
    problem = Problem(x=x, y=y.long(), n_classes=2, **fields)
    said = MaskIndicator().solve(problem, a_run(tmp_path)).model(x).argmax(1)
    assert float((said.bool() == y).float().mean()) > 0.98


@pytest.mark.parametrize("problem", [class_problem(epochs=1), value_problem()])
def test_held_out_rows_choose_the_step_and_move_nothing_else(problem, tmp_path, monkeypatch):
    """With one epoch, or one step of descent, there is nothing to choose."""
    monkeypatch.setattr(mean_early, "PATH", 1)
    drawn = a_run(tmp_path).torch_generator("method", "held out", device="cpu")
    held = torch.randperm(len(problem.y), generator=drawn)[:8]
    x, y = problem.x.clone(), problem.y.clone()
    x[held], y[held] = 9.0, 1
    rows = low_rank(rows=5, seed=9)[1]
    other = msgspec.structs.replace(problem, x=x, y=y)
    first, second = (
        MeanEarly().solve(one, a_run(tmp_path)).model(rows) for one in (problem, other)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "method", [MaskIndicator(), CompensatedPromissing(), NaiveSgd()], ids=named
)
def test_a_seed_gets_the_same_bits_whoever_stands_beside_it(method, tmp_path):
    problems = [class_problem(seed=seed) for seed in range(3)]
    three = method.solve_stacked(problems, [a_run(tmp_path, seed) for seed in range(3)])
    two = method.solve_stacked(problems[1:], [a_run(tmp_path, seed) for seed in (1, 2)])
    rows = low_rank(rows=5, seed=9)[1]
    assert torch.equal(three[1].model(rows), two[0].model(rows))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (NaiveSgd, {"rate": 0.0}),
        (GradientBoosting, {"trees": 0}),
        (MeanEarly, {"held_out": 0.6}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)
