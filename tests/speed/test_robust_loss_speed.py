"""The worst distribution of a batch by its closed form against a solver, as ratios of processor
time taken in turns.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest
import torch
from bench.builtin.methods.poisoning.hr import worst

ALPHA, R, ROWS = 0.05, 0.1, 128


def ratio(slow, quick, rounds=5):
    """Return the median over rounds of the time of one form over that of the other."""
    found = []
    for _ in range(rounds):
        marks = [time.process_time()]
        for step in (slow, quick):
            step()
            marks.append(time.process_time())
        found.append((marks[1] - marks[0]) / (marks[2] - marks[1]))
    return statistics.median(found)


def batches(count):
    return np.random.default_rng(0).exponential(size=(count, ROWS))


def conic(losses):
    """Return the worst mean by cvxpy, the problem compiled once and solved for each batch."""
    cvxpy = pytest.importorskip("cvxpy")
    value = cvxpy.Parameter(ROWS + 1, nonneg=True)
    p, s = cvxpy.Variable(ROWS + 1, nonneg=True), cvxpy.Variable(ROWS, nonneg=True)
    q = cvxpy.hstack([1 / ROWS - s, cvxpy.sum(s)])
    problem = cvxpy.Problem(
        cvxpy.Maximize(p @ value),
        [
            cvxpy.sum(p) == 1,
            cvxpy.sum(s) <= ALPHA,
            s <= 1 / ROWS,
            cvxpy.sum(cvxpy.rel_entr(q, p)) <= R,
        ],
    )

    def solve():
        found = []
        for row in losses:
            value.value = np.append(row, row.max())
            found.append(problem.solve(solver=cvxpy.CLARABEL))
        return np.array(found)

    return solve


@pytest.mark.parametrize(("count", "least"), [(1, 2), (5, 8)])
def test_the_closed_form_gains_over_a_conic_solver(count, least):
    losses = batches(count)
    solve, tensors = conic(losses), torch.tensor(losses)

    def closed():
        return (worst(tensors, ALPHA, R) * tensors).sum(-1)

    np.testing.assert_allclose(solve(), closed().numpy(), atol=1e-5)
    assert ratio(solve, closed) >= least


def test_five_stacked_batches_take_less_than_half_of_five_one_by_one():
    tensors = torch.tensor(batches(5))

    def one_by_one():
        return torch.stack([worst(row, ALPHA, R) for row in tensors])

    def together():
        return worst(tensors, ALPHA, R)

    torch.testing.assert_close(one_by_one(), together())
    assert ratio(one_by_one, together, 15) >= 2
