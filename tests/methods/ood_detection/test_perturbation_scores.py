"""Expected perturbation scores: against slow forms, in limits, and row by row."""

import math

import pytest
import torch
from bench.builtin.methods.ood_detection._perturbed import drawn, expected_score
from bench.builtin.methods.ood_detection.eps import Discrepancy, ExpectedPerturbation
from bench.builtin.methods.ood_detection.eps_norm import ExpectedNorm
from bench.builtin.methods.ood_detection.score_norm import ScoreNorm
from scipy.integrate import quad

from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.runs.guard import fingerprint
from bench.tracks.ood_detection_scores import ScoreProblem
from bench.training.fixed_net import Recipe, fixed_net
from bench.training.score_net import ScoreRecipe, score_net

METHODS = (ExpectedPerturbation, ExpectedNorm, ScoreNorm)


def run_of(folder):
    return Run(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    y, y_val = torch.arange(60) % 3, torch.arange(20) % 3
    x, x_val = (0.3 * torch.rand(n, 1, 5, 5, generator=generator) for n in (60, 20))
    for rows, labels in ((x, y), (x_val, y_val)):
        rows[torch.arange(len(rows)), 0, labels] += 0.6
    run = run_of(tmp_path_factory.mktemp("run"))
    return ScoreProblem(
        model=fixed_net(x, y, 3, Recipe(widths=(8,), epochs=2), run),
        x=x,
        y=y,
        x_val=x_val,
        y_val=y_val,
        n_classes=3,
        score_net=score_net(x, ScoreRecipe(width=24, steps=400, lr=3e-3), run),
    )


@pytest.fixture(scope="module")
def shown():
    return torch.rand(6, 1, 5, 5, generator=torch.Generator().manual_seed(1))


def score(method, problem, shown, folder):
    return method.solve(problem, run_of(folder)).score(shown)[:, 0]


def slow_expected(net, row, z):
    """Of one row, number by number, with the rate of the process integrated by quadrature."""
    total = [0.0] * len(row)
    for i, noise in enumerate(z.tolist(), start=1):
        t = i / 1000
        passed = quad(lambda u: 0.1 + u * (20 - 0.1), 0, t)[0]
        a, sigma = math.exp(-passed / 2), math.sqrt(1 - math.exp(-passed))
        moved = [a * (2 * p - 1) + sigma * n for p, n in zip(row.tolist(), noise, strict=True)]
        found = net(torch.tensor([moved], dtype=torch.float32), t)[0].tolist()
        total = [old + new / len(z) for old, new in zip(total, found, strict=True)]
    return torch.tensor(total)


def test_the_expected_score_is_that_of_a_loop_over_steps_and_pixels(problem, shown, tmp_path):
    z = drawn(7, 25, torch.device("cpu"), run_of(tmp_path))
    found = expected_score(problem.score_net, shown, z, 7)
    for row, own in zip(shown.flatten(1), found, strict=True):
        by_hand = slow_expected(problem.score_net, row, z)
        assert float((own - by_hand).norm() / by_hand.norm()) < 1e-4
    norms = score(ExpectedNorm(steps=7), problem, shown, tmp_path)
    assert torch.allclose(-norms, found.double().norm(dim=1), rtol=1e-6)


def test_one_step_without_noise_is_the_score_of_the_row_itself(problem, shown, tmp_path):
    plain = score(ScoreNorm(step=1), problem, shown, tmp_path)
    assert torch.equal(score(ExpectedNorm(steps=1, perturb=False), problem, shown, tmp_path), plain)
    # at the first step rows hardly shrink, so that noise of zero moves them hardly either
    still = expected_score(problem.score_net, shown, torch.zeros(1, 25), 1)
    alone = expected_score(problem.score_net, shown, None, 1)
    assert float((still - alone).norm() / alone.norm()) < 1e-2


def test_the_discrepancy_is_that_of_kernels_pair_by_pair(problem, shown, tmp_path):
    method = ExpectedPerturbation(steps=4, clean=9)
    z = drawn(4, 25, torch.device("cpu"), run_of(tmp_path))
    known, own = (
        expected_score(problem.score_net, rows, z, 4).double()
        for rows in (problem.x_val[:9], shown)
    )
    pairs = [(known[i] - known[j]).square().sum() for i in range(9) for j in range(9) if i != j]
    unit = float(sum(pairs)) / 72

    def kernel(a, b):
        apart = float((a - b).square().sum())
        return sum(math.exp(-apart / (unit * 2.0**k)) for k in range(-2, 3)) / 5

    among = sum(kernel(a, b) for a in known for b in known) / 81
    found = score(method, problem, shown, tmp_path)
    for row, value in zip(own, found.tolist(), strict=True):
        between = sum(kernel(row, c) for c in known) / 9
        assert value == pytest.approx(-(kernel(row, row) - 2 * between + among), abs=1e-6)


def test_clean_rows_that_are_shown_again_score_as_they_do_among_themselves():
    generator = torch.Generator().manual_seed(2)
    clean, copies = torch.randn(30, 4, generator=generator), torch.arange(30).flip(0)
    against = Discrepancy(clean)
    found = against(clean[copies])
    assert torch.allclose(found, against(clean)[copies], atol=1e-12)
    # over all of them the three terms cancel but for the kernel of a row with itself
    assert float(found.mean()) == pytest.approx(1 - float(against.among))
    assert float(against(clean + 50).min()) > float(found.max())


def test_clean_rows_that_are_all_alike_are_at_no_distance_from_their_copy():
    against = Discrepancy(torch.ones(5, 3))
    assert against(torch.ones(1, 3)).tolist() == pytest.approx([0], abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_row_scores_the_same_alone_and_among_others_and_the_nets_stay(
    method, problem, shown, tmp_path
):
    before = fingerprint(problem)
    solution = method().solve(problem, run_of(tmp_path))
    whole = solution.score(shown)
    alone = torch.cat([solution.score(row[None]) for row in shown])
    assert whole.shape == (6, 1)
    assert torch.allclose(whole, alone, rtol=1e-5, atol=1e-5)
    assert fingerprint(problem) == before


def test_rows_like_those_of_training_have_shorter_and_nearer_scores_than_noise(
    problem, shown, tmp_path
):
    for method in (ExpectedPerturbation(), ExpectedNorm()):
        usual = score(method, problem, problem.x_val, tmp_path)
        assert float(usual.mean()) > float(score(method, problem, shown, tmp_path).mean())


def test_one_clean_row_is_too_few_to_compare_with(problem, tmp_path):
    from msgspec.structs import replace

    alone = replace(problem, x_val=problem.x_val[:1], y_val=problem.y_val[:1])
    with pytest.raises(InvalidRun, match="give at least two"):
        ExpectedPerturbation().solve(alone, run_of(tmp_path))
