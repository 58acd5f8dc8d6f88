"""What sets of rows are worth: batched utilities against loops of single fits, closed-form games,
and the identities that semivalues must obey.
"""

import itertools
import math

import msgspec
import numpy as np
import pytest
import torch
from scipy.special import beta as beta_function
from sklearn.linear_model import LogisticRegression, Ridge

from bench.tracks.data_valuation import Problem, Utility
from bench.tracks.data_valuation_games import Game, KnnGame, game_of, nearest
from bench.tracks.data_valuation_sampling import (
    all_sets,
    beta_weights,
    by_membership,
    draw_orders,
    gains,
    of_rows,
    semivalues,
)


def problem(n=24, classes=3, numbers=False, seed=0, **utility):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, classes, 2 * n)
    x = generator.standard_normal((2 * n, 4)) + 1.5 * np.eye(classes, 4)[y]
    labels = torch.from_numpy(x[:, 0] + generator.standard_normal(2 * n)).float()
    labels = labels if numbers else torch.from_numpy(y)
    x = torch.from_numpy(x).float()
    named = {"metric": "negative-mse"} if numbers else {"empty": 1 / classes}
    return Problem(
        x=x[:n],
        y=labels[:n],
        x_val=x[n:],
        y_val=labels[n:],
        n_classes=0 if numbers else classes,
        utility=Utility(**{**named, **utility}),
    )


def some_sets(n, count=40, seed=1):
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.random((count, n)) < generator.random((count, 1)))


def with_ones(x):
    return np.concatenate([x.double().numpy(), np.ones((len(x), 1))], 1)


def ridge_value(made, mask):
    """The slow way: one fit of scikit-learn, its own intercept off and a column of ones."""
    if not mask.any():
        return made.utility.empty
    y = made.y.numpy()
    wanted = np.eye(made.n_classes)[y] if made.n_classes else y[:, None].astype(float)
    fitted = Ridge(made.utility.lam, fit_intercept=False).fit(with_ones(made.x)[mask], wanted[mask])
    out = fitted.predict(with_ones(made.x_val)).reshape(len(made.x_val), -1)
    if made.n_classes:
        return float((out.argmax(1) == made.y_val.numpy()).mean())
    return -float(((out[:, 0] - made.y_val.double().numpy()) ** 2).mean())


# Utilities --------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", [False, True])
def test_batched_ridge_utilities_are_those_of_a_loop_of_single_fits(numbers):
    made = problem(numbers=numbers, empty=-0.25)
    masks = torch.cat([some_sets(24), torch.zeros(1, 24, dtype=torch.bool)])
    found = game_of(made).values(masks)
    expected = [ridge_value(made, mask.numpy()) for mask in masks]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("numbers", [False, True])
def test_rank_one_updates_along_an_order_end_where_a_direct_solve_does(numbers, monkeypatch):
    from bench.tracks import data_valuation_games

    made = problem(numbers=numbers, empty=-0.25)
    game = game_of(made)
    orders = draw_orders(24, 6, np.random.default_rng(2))
    found = game.prefixes(orders)
    np.testing.assert_allclose(found, Game.prefixes(game, orders), rtol=0, atol=1e-9)
    assert (found[:, 0] == -0.25).all()
    monkeypatch.setattr(data_valuation_games, "REFRESH", 7)
    np.testing.assert_allclose(game.prefixes(orders), found, rtol=0, atol=1e-9)


def test_logistic_utilities_are_those_of_scikit_learn_and_a_lone_class_is_no_crash():
    made = problem(learner="logreg", lam=0.05)
    masks = some_sets(24, 12)
    only = made.y == 1
    found = game_of(made).values(torch.cat([masks, only[None], torch.zeros_like(only)[None]]))
    for value, mask in zip(found, masks.numpy(), strict=False):
        if len(np.unique(made.y.numpy()[mask])) > 1:
            fitted = LogisticRegression(
                C=1 / (0.05 * mask.sum()), fit_intercept=False, tol=1e-10, max_iter=5000
            ).fit(with_ones(made.x)[mask], made.y.numpy()[mask])
            right = fitted.predict(with_ones(made.x_val)) == made.y_val.numpy()
            assert float(value) == pytest.approx(right.mean(), abs=1.5 / 24)  # one at the border
    assert float(found[-2]) == pytest.approx(float((made.y_val == 1).double().mean()))
    assert float(found[-1]) == pytest.approx(1 / 3)


def test_the_knn_utility_counts_matching_labels_among_the_k_nearest_of_the_set():
    made = problem(learner="knn", k=3, empty=0.0)
    masks = some_sets(24, 15)
    found = game_of(made).values(masks)
    distance = ((made.x_val[:, None] - made.x[None]).double() ** 2).sum(-1).numpy()
    for value, mask in zip(found, masks.numpy(), strict=True):
        shares = []
        for row, label in zip(distance, made.y_val.numpy(), strict=True):
            inside = sorted(np.flatnonzero(mask), key=lambda j: (row[j], j))[:3]
            shares.append(sum(made.y.numpy()[inside] == label) / 3)
        assert float(value) == pytest.approx(np.mean(shares))


@pytest.mark.parametrize("learner", ["ridge", "knn", "logreg"])
def test_neither_the_size_of_a_batch_nor_of_a_chunk_changes_a_value(learner, monkeypatch):
    from bench.tracks import data_valuation_games

    made = problem(learner=learner)
    masks = some_sets(24, 20)
    found = game_of(made).values(masks)
    alone = torch.cat([game_of(made).values(mask[None]) for mask in masks])
    monkeypatch.setattr(data_valuation_games, "CHUNK", 24 * 24 * 3)
    torch.testing.assert_close(game_of(made).values(masks), found)
    torch.testing.assert_close(alone, found)


def test_the_size_of_a_chunk_changes_no_value_along_an_order(monkeypatch):
    from bench.tracks import data_valuation_games

    game, orders = game_of(problem()), draw_orders(24, 7, np.random.default_rng(0))
    found = game.prefixes(orders)
    monkeypatch.setattr(data_valuation_games, "CHUNK", 24 * 3 * 2)  # two orders at a time
    torch.testing.assert_close(game.prefixes(orders), found)


@pytest.mark.parametrize("learner", ["ridge", "logreg", "knn"])
def test_sets_of_one_class_or_two_have_a_value_and_of_none_that_of_the_empty_set(learner):
    made = problem(learner=learner, lam=0.05, empty=0.25)
    masks = torch.stack([made.y == 0, made.y != 0, torch.zeros(24, dtype=torch.bool)])
    found = game_of(made).values(masks)
    assert ((found >= 0) & (found <= 1)).all()
    assert float(found[2]) == 0.25
    if learner == "ridge":
        expected = [ridge_value(made, mask.numpy()) for mask in masks]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    if learner == "logreg":  # the only class that it saw
        assert float(found[0]) == pytest.approx(float((made.y_val == 0).double().mean()))


def test_a_game_counts_its_fits_and_neighbours_are_no_fit():
    for learner, expected in (("ridge", 7 + 2 * 24), ("knn", 0)):
        game = game_of(problem(learner=learner))
        game.values(some_sets(24, 7))
        game.prefixes(draw_orders(24, 2, np.random.default_rng(0)))
        assert game.fits == expected


def test_rows_equally_far_keep_their_order():
    x = torch.tensor([[1.0], [-1.0], [0.5], [1.0]])
    assert nearest(x, torch.zeros(1, 1)).tolist() == [[2, 0, 1, 3]]


# Games with known values --------------------------------------------------------------------------


class Known(Game):
    """A game by a function of a set of players."""

    def __init__(self, n, worth):
        super().__init__(n, worth(frozenset()))
        self.worth = worth

    def _values(self, masks):
        sets = [frozenset(np.flatnonzero(mask).tolist()) for mask in masks.numpy()]
        return torch.tensor([self.worth(one) for one in sets], dtype=torch.float64)


GLOVES = Known(3, lambda s: float(min(0 in s, len(s & {1, 2}))))
AIRPORT = Known(3, lambda s: float(max((player + 1 for player in s), default=0)))
MAJORITY = Known(5, lambda s: float(len(s) >= 3))
CLOSED = [
    (GLOVES, "shapley", [2 / 3, 1 / 6, 1 / 6]),
    (GLOVES, "banzhaf", [3 / 4, 1 / 4, 1 / 4]),
    (AIRPORT, "shapley", [1 / 3, 5 / 6, 11 / 6]),
    (MAJORITY, "shapley", [1 / 5] * 5),
    (MAJORITY, "banzhaf", [3 / 8] * 5),
]


@pytest.mark.parametrize(("game", "target", "expected"), CLOSED)
def test_enumeration_gives_the_known_values_of_small_games(game, target, expected):
    found = semivalues(game.values(all_sets(game.n)), target)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(("game", "target", "expected"), CLOSED)
def test_all_orders_and_all_sets_put_through_the_samplers_give_the_known_values(
    game, target, expected
):
    if target == "shapley":
        orders = torch.tensor(list(itertools.permutations(range(game.n))))
        found = of_rows(gains(game, orders), orders).mean(0)
    else:
        masks = all_sets(game.n)
        found = by_membership(masks, game.values(masks))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_beta_weights_sum_to_the_enumerated_value_over_all_orders():
    game = Known(4, lambda s: float(len(s) ** 2 + (2 in s)))
    orders = torch.tensor(list(itertools.permutations(range(4))))
    weighed = gains(game, orders) * beta_weights(4, 16, 1)
    expected = semivalues(game.values(all_sets(4)), "beta")
    np.testing.assert_allclose(of_rows(weighed, orders).mean(0), expected, atol=1e-12)


# Identities -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "beta"), [(16, 1), (4, 1), (1, 1), (1, 4)])
@pytest.mark.parametrize("n", [2, 10, 300])
def test_beta_weights_have_mean_one_and_follow_the_formula(n, alpha, beta):
    found = beta_weights(n, alpha, beta)
    assert float(found.mean()) == pytest.approx(1, abs=1e-9)
    for j in range(1, min(n, 12) + 1):
        direct = n * math.comb(n - 1, j - 1) * beta_function(j + beta - 1, n - j + alpha)
        assert float(found[j - 1]) == pytest.approx(direct / beta_function(alpha, beta), rel=1e-9)


def test_beta_one_one_is_shapley_bit_for_bit():
    assert torch.equal(beta_weights(30, 1, 1), torch.ones(30, dtype=torch.float64))


def test_values_of_any_number_of_orders_sum_to_the_whole_minus_the_empty_set():
    game = game_of(problem())
    orders = draw_orders(24, 3, np.random.default_rng(0))
    found = of_rows(gains(game, orders), orders).mean(0)
    assert float(found.sum()) == pytest.approx(game.whole() - game.empty, abs=1e-10)
    masks = all_sets(5)
    few = game_of(problem(5))
    values = few.values(masks)
    assert float(semivalues(values, "shapley").sum()) == pytest.approx(
        float(values[-1]) - few.empty, abs=1e-10
    )
    assert abs(float(semivalues(values, "banzhaf").sum()) - float(values[-1]) + few.empty) > 1e-3


def test_a_player_that_changes_nothing_is_worth_nothing_and_twins_are_worth_the_same():
    game = Known(5, lambda s: float(len(s & {0, 1, 2}) ** 2))
    values = game.values(all_sets(5))
    for target in ("shapley", "banzhaf", "beta"):
        found = semivalues(values, target)
        assert found[3:].abs().max() < 1e-12
        assert float(found[:3].max() - found[:3].min()) < 1e-12
    orders = draw_orders(5, 20, np.random.default_rng(0))
    assert (of_rows(gains(game, orders), orders)[:, 3:] == 0).all()


def test_values_are_linear_in_the_game_for_the_same_stream():
    def u(s):
        return float(len(s) ** 2)

    def w(s):
        return float(3 in s) * len(s)

    games = [Known(6, u), Known(6, w), Known(6, lambda s: u(s) + 2 * w(s))]
    orders, masks = draw_orders(6, 9, np.random.default_rng(0)), some_sets(6, 30)
    for value in (
        lambda game: of_rows(gains(game, orders), orders).mean(0),
        lambda game: by_membership(masks, game.values(masks)),
    ):
        one, other, both = map(value, games)
        torch.testing.assert_close(both, one + 2 * other)


def test_an_order_is_cut_where_its_value_is_near_the_whole_and_costs_no_more_fits():
    game = Known(40, lambda s: min(len(s), 10) / 10)
    orders = draw_orders(40, 5, np.random.default_rng(0))
    whole, cut = gains(game, orders), gains(game, orders, 0.25)
    assert game.fits < 40 * 5 + 1 + 5 * 12
    assert (whole[:, :10] > 0).all()
    torch.testing.assert_close(cut[:, :8], whole[:, :8])  # .8 is the first value within .25 of 1
    assert (cut[:, 8:] == 0).all()


def test_antithetic_orders_come_with_their_reverse():
    orders = draw_orders(7, 6, np.random.default_rng(0), antithetic=True)
    assert torch.equal(orders[1::2], orders[::2].flip(1))
    assert (orders.sort(1).values == torch.arange(7)).all()


def test_a_row_that_is_in_every_set_or_in_none_has_no_difference():
    masks = torch.tensor([[True, False, True], [True, False, False]])
    assert by_membership(masks, torch.tensor([3.0, 1.0]).double()).tolist() == [0, 0, 2]


def test_the_samplers_come_near_the_enumerated_values_of_a_learner():
    made = problem(8)
    exact = game_of(made).values(all_sets(8))
    orders = draw_orders(8, 400, np.random.default_rng(0))
    rows = of_rows(gains(game_of(made), orders), orders)
    away = (rows.mean(0) - semivalues(exact, "shapley")).abs()
    assert (away <= 4 * rows.std(0) / 20 + 1e-9).all()
    masks = torch.from_numpy(np.random.default_rng(1).random((4000, 8)) < 0.5)
    found = by_membership(masks, game_of(made).values(masks))
    assert (found - semivalues(exact, "banzhaf")).abs().max() < 0.03


def test_knn_values_exist_for_an_empty_set():
    game = KnnGame(
        msgspec.structs.replace(Utility(), empty=0.5), torch.zeros(2, 3).long(), torch.ones(2, 3)
    )
    assert float(game.values(torch.zeros(1, 3, dtype=torch.bool))[0]) == 0.5
