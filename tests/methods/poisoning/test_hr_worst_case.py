"""The worst distribution of holistic robust training against solvers, and against wrong forms."""

import numpy as np
import pytest
import torch
from bench.builtin.methods.poisoning import hr
from bench.builtin.methods.poisoning.hr import HolisticRobust, moved, worst
from scipy import optimize

ALPHA, R = 0.1, 0.2


def drawn(seed=0, rows=8):
    return np.random.default_rng(seed).exponential(size=rows)


def value(losses, alpha=ALPHA, r=R, order="hd", by=worst):
    found = by(torch.tensor(losses), alpha, r, order)
    return float((found * torch.tensor(losses)).sum())


def solved(losses, alpha=ALPHA, r=R):
    """The order hd by SciPy's sequential quadratic programme: p and s as unknowns."""
    n, largest = len(losses), losses.max()
    every = np.append(losses, largest)

    def start(s):
        return np.append(1 / n - s, s.sum())

    def divergence(z):
        p, q = z[: n + 1], start(z[n + 1 :])
        return r - (q * np.log(np.maximum(q, 1e-300) / p)).sum()

    first = np.full(n, alpha / n)
    found = optimize.minimize(
        lambda z: -(z[: n + 1] @ every),
        np.concatenate([start(first), first]),
        bounds=[(1e-9, 1)] * (n + 1) + [(0, 1 / n)] * n,
        constraints=[
            {"type": "eq", "fun": lambda z: z[: n + 1].sum() - 1},
            {"type": "ineq", "fun": lambda z: alpha - z[n + 1 :].sum()},
            {"type": "ineq", "fun": divergence},
        ],
        options={"maxiter": 500, "ftol": 1e-12},
    )
    return -found.fun


def from_the_largest(losses, alpha, r, order):
    """A planted wrong form: the mass is taken from the largest losses."""
    ascending, place = losses.sort(-1)
    q = moved(torch.full_like(losses, 1 / len(losses)), alpha)
    last = torch.zeros_like(q)
    last[-1] = alpha
    wrong = (q - last).flip(-1) + last
    return torch.zeros_like(losses).scatter(-1, place, hr.tilted(ascending, wrong, r))


@pytest.mark.parametrize("seed", range(3))
def test_the_closed_form_is_what_a_solver_of_quadratic_programmes_finds(seed):
    losses = drawn(seed)
    assert value(losses) == pytest.approx(solved(losses), abs=1e-4)


def test_mass_taken_from_the_largest_losses_is_told_from_the_solver():
    losses = drawn()
    assert value(losses, by=from_the_largest) < solved(losses) - 1e-2


def conic(losses, alpha=ALPHA, r=R, order="hd"):
    cvxpy = pytest.importorskip("cvxpy")
    n, largest = len(losses), losses.max()
    p, q, s = (cvxpy.Variable(size, nonneg=True) for size in (n + 1, n + 1, n))
    moved_mass = cvxpy.sum(s)
    if order == "hd":
        ties = [q[:n] == 1 / n - s, q[n] == moved_mass, cvxpy.sum(p) == 1]
        ties.append(cvxpy.sum(cvxpy.rel_entr(q, p)) <= r)
    else:
        ties = [cvxpy.sum(q) == 1, q[n] == 0, p[:n] == q[:n] - s, p[n] == moved_mass]
        ties.append(cvxpy.sum(cvxpy.rel_entr(np.full(n, 1 / n), q[:n])) <= r)
    problem = cvxpy.Problem(
        cvxpy.Maximize(p[:n] @ losses + p[n] * largest), [*ties, moved_mass <= alpha]
    )
    return problem.solve(solver=cvxpy.CLARABEL)


@pytest.mark.parametrize("order", ["hd", "hr"])
def test_both_orders_are_what_a_conic_solver_finds(order):
    for seed in range(10):
        losses = drawn(seed, 20)
        assert value(losses, order=order) == pytest.approx(conic(losses, order=order), abs=1e-6)


def test_mass_taken_from_the_largest_losses_is_told_from_the_conic_solver():
    losses = drawn(0, 20)
    assert value(losses, by=from_the_largest) < conic(losses) - 1e-3


@pytest.mark.parametrize("order", ["hd", "hr"])
def test_the_worst_distribution_sums_to_one_and_rises_with_the_loss(order):
    losses = torch.tensor(np.stack([drawn(seed, 30) for seed in range(4)]))
    p = worst(losses, ALPHA, R, order)
    torch.testing.assert_close(p.sum(-1), torch.ones(4, dtype=torch.float64))
    assert p.min() >= 0
    assert (p.gather(-1, losses.argsort(-1)).diff(dim=-1) >= -1e-12).all()


@pytest.mark.parametrize("order", ["hd", "hr"])
def test_the_divergence_is_used_up(order):
    losses = torch.tensor(drawn(0, 30))
    uniform = torch.full((30,), 1 / 30, dtype=torch.float64)
    p = worst(losses, 0.0, R, order)
    assert float((uniform * (uniform / p).log()).sum()) == pytest.approx(R, abs=1e-9)


def test_a_member_has_the_distribution_it_has_alone():
    losses = torch.tensor(np.stack([drawn(seed, 30) for seed in range(3)]))
    together = worst(losses, ALPHA, R)
    for row, alone in zip(losses, together, strict=True):
        torch.testing.assert_close(worst(row, ALPHA, R), alone, rtol=0, atol=1e-14)


def test_equal_losses_leave_the_sample_but_for_the_mass_that_moves():
    p = worst(torch.ones(10, dtype=torch.float64), 0.0, R)
    torch.testing.assert_close(p, torch.full((10,), 0.1, dtype=torch.float64))


def test_a_larger_ball_of_distributions_has_no_lower_worst_loss():
    losses = drawn(0, 30)
    found = [value(losses, alpha, r) for alpha, r in ((0.0, 0.0), (0.0, 0.1), (0.1, 0.1), (0.1, 1))]
    assert found == sorted(found)
    assert found[0] == pytest.approx(losses.mean())
    assert found[-1] < losses.max()
    assert HolisticRobust().alpha == 0.05


@pytest.mark.parametrize("order", ["hd", "hr"])
@pytest.mark.parametrize(("alpha", "r"), [(0.99, 10.0), (0.0, 1e30), (0.05, 1e30)])
def test_a_ball_that_float64_does_not_hold_puts_all_mass_on_the_largest_loss(alpha, r, order):
    losses = torch.rand(3, 64, generator=torch.Generator().manual_seed(5))
    p = worst(losses, alpha, r, order)
    torch.testing.assert_close(p.sum(1), torch.ones(3))
    assert torch.equal(p.argmax(1), losses.argmax(1))
    assert float(p.amax(1).min()) > 0.99
