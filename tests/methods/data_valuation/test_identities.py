"""What values of rows must obey beyond their formulas: copies, right labels made wrong, and how near
samplers come to values of all sets.
"""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.data_valuation.data_oob import OutOfBag
from bench.builtin.methods.data_valuation.knn_shapley import NeighbourShapley
from bench.builtin.methods.data_valuation.shapley_perm import PermutationShapley
from sklearn.datasets import load_digits
from valuation_small import a_run, clusters

from bench.runs.tools import Tools
from bench.tracks.data_valuation import Problem, Utility
from bench.tracks.data_valuation_games import Game, game_of
from bench.tracks.data_valuation_sampling import (
    all_sets,
    by_membership,
    draw_orders,
    gains,
    of_rows,
    semivalues,
)


class Deaf(Tools):
    def report(self, run, step, model):
        """Nobody looks."""


def value(method, problem, folder):
    return method.solve(problem, a_run(folder, tools=Deaf())).value


@pytest.mark.parametrize("kind", ["hard", "soft", "threshold"])
def test_copies_are_worth_the_same_to_their_neighbours_whichever_comes_first(kind, tmp_path):
    problem, _ = clusters(n=20)
    x, y = problem.x.clone(), problem.y.clone()
    x[7], y[7] = x[3], y[3]
    order = torch.arange(20)
    order[[3, 7]] = order[[7, 3]]
    method = NeighbourShapley(k=3, kind=kind)
    first = value(method, msgspec.structs.replace(problem, x=x, y=y), tmp_path)
    other = value(method, msgspec.structs.replace(problem, x=x[order], y=y[order]), tmp_path)
    assert float(first[3] - first[7]) == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(other[order], first, atol=1e-12, rtol=0)


class Recalled(Game):
    """A game of which all sets were fitted once."""

    def __init__(self, game):
        super().__init__(game.n, game.empty)
        self.worth = game.values(all_sets(game.n))

    def _values(self, masks):
        return self.worth[(masks.long() << torch.arange(self.n)).sum(1)]


def digits(n, queries):
    """Return a problem of handwritten digits with right labels."""
    data = load_digits()
    rows = np.random.default_rng(0).permutation(len(data.target))[: n + queries]
    x = torch.from_numpy(data.data[rows] / 16).float()
    x, y = x - x[:n].mean(0), torch.from_numpy(data.target[rows])
    return Problem(
        x=x[:n],
        y=y[:n],
        x_val=x[n:],
        y_val=y[n:],
        n_classes=10,
        classes=10,
        utility=Utility(empty=0.1),
    )


@pytest.fixture(scope="module")
def ten_digits():
    """The game of ten digits, judged by a hundred others, all of whose sets were fitted."""
    return Recalled(game_of(digits(10, 100)))


def test_4000_orders_of_ten_digits_are_within_4_standard_errors_of_all_sets(ten_digits):
    orders = draw_orders(10, 4000, np.random.default_rng(1))
    rows = of_rows(gains(ten_digits, orders), orders)
    away = (rows.mean(0) - semivalues(ten_digits.worth, "shapley")).abs()
    assert (away <= 4 * rows.std(0) / 4000**0.5).all()
    assert away.max() < 0.002


def test_40000_sets_of_ten_digits_give_banzhaf_values_within_two_thousandths(ten_digits):
    masks = torch.from_numpy(np.random.default_rng(1).random((40_000, 10)) < 0.5)
    found = by_membership(masks, ten_digits.values(masks))
    assert (found - semivalues(ten_digits.worth, "banzhaf")).abs().max() < 0.002


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [NeighbourShapley(), OutOfBag(trees=200), PermutationShapley(permutations=100)],
    ids=lambda method: method.card.name,
)
def test_of_100_right_labels_made_wrong_95_lower_the_value_of_their_row(method, tmp_path):
    problem = digits(100, 200)
    before = value(method, problem, tmp_path)
    lower = []
    for row in range(100):
        y = problem.y.clone()
        y[row] = (y[row] + 1) % 10
        after = value(method, msgspec.structs.replace(problem, y=y), tmp_path)
        lower.append(bool(after[row] < before[row]))
    assert np.mean(lower) >= 0.95
