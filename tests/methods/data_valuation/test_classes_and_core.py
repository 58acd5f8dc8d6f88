"""Values by class, the least core and a net that chooses, against slow computations and games whose
answer is known.
"""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.data_valuation.class_wise import ClassWise, _order, class_score
from bench.builtin.methods.data_valuation.dvrl import Reinforced, _crowding, _likelihood
from bench.builtin.methods.data_valuation.least_core import LeastCore, least_core, smallest
from scipy.optimize import minimize
from sklearn.linear_model import Ridge
from valuation_small import a_run, clusters

from bench.errors import InvalidRun
from bench.tracks.data_valuation import Utility
from bench.tracks.data_valuation_games import Game, game_of
from bench.tracks.data_valuation_linear import design
from bench.tracks.data_valuation_sampling import all_sets


def answers(problem, mask):
    """Return what a fit of scikit-learn on some rows says of the validation rows."""
    x, wanted = design(problem.x).numpy(), np.eye(3)[problem.y.numpy()]
    fitted = Ridge(1.0, fit_intercept=False).fit(x[mask], wanted[mask])
    return fitted.predict(design(problem.x_val).numpy()).argmax(1)


def shares(problem, mask, c):
    right, mine = answers(problem, mask) == problem.y_val.numpy(), problem.y_val.numpy() == c
    return (right & mine).mean(), (right & ~mine).mean()


def test_class_wise_values_are_a_loop_of_fits_scaled_to_the_accuracy_on_each_class(tmp_path):
    problem, _ = clusters(n=24)
    labels, count = problem.y.numpy(), 3
    generator = a_run(tmp_path).numpy_generator("method")
    orders = [[_order(labels, c, generator) for c in range(3)] for _ in range(count)]
    expected = np.zeros(24)
    for per_class in orders:
        for c, (order, masks) in enumerate(per_class):
            before = 0.0
            for row, mask in zip(order, masks, strict=True):
                own, others = shares(problem, mask, c)
                expected[row] += (own * np.exp(others) - before) / count
                before = own * np.exp(others)
    for c in range(3):
        own, _ = shares(problem, np.ones(24, dtype=bool), c)
        expected[labels == c] *= own / expected[labels == c].sum()
    found = ClassWise(permutations=count).solve(problem, a_run(tmp_path))
    np.testing.assert_allclose(found.value, expected, rtol=0, atol=1e-9)
    assert found.n_fits == 24 * count + 3


def test_an_order_of_a_class_grows_row_by_row_beside_some_rows_of_every_other_class():
    labels = np.array([0, 1, 2, 0, 1, 0, 2, 2])
    order, masks = _order(labels, 0, np.random.default_rng(0))
    assert sorted(order) == [0, 3, 5]
    assert [masks[place][order].sum() for place in range(3)] == [1, 2, 3]
    beside = masks[:, labels != 0]
    assert (beside == beside[0]).all()
    assert {*labels[masks[0]]} == {0, 1, 2}


def test_a_class_score_counts_right_answers_on_the_class_apart_from_others():
    y = torch.tensor([0, 0, 1, 2])
    outputs = torch.eye(3)[torch.tensor([0, 1, 1, 2])]
    assert float(class_score(outputs, y, 0)) == pytest.approx(0.25 * np.exp(0.5))
    assert float(class_score(outputs, y, 0, inside=True)) == 0.25


def test_a_learner_that_fits_nothing_has_no_class_wise_values(tmp_path):
    problem, _ = clusters(n=8)
    made = msgspec.structs.replace(problem, utility=Utility(learner="knn"))
    with pytest.raises(InvalidRun, match=r"'knn', which fits no model .* use learner=ridge"):
        ClassWise().solve(made, a_run(tmp_path))


GAMES = [
    # one left and two right gloves: the left one takes all
    (3, lambda s: float(min(0 in s, len(s & {1, 2}))), [1, 0, 0], 0.0),
    # a majority of five: any three could claim all
    (5, lambda s: float(len(s) >= 3), [0.2] * 5, 0.4),
    # worth that adds up
    (3, lambda s: float(sum(player + 1 for player in s)), [1, 2, 3], 0.0),
]


@pytest.mark.parametrize(("n", "worth", "expected", "deficit"), GAMES)
def test_the_least_core_of_small_games_is_the_known_one(n, worth, expected, deficit):
    masks = all_sets(n).numpy()
    values = np.array([worth(frozenset(np.flatnonzero(mask).tolist())) for mask in masks])
    found, lacking = least_core(masks, values, values[-1])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert lacking == pytest.approx(deficit, abs=1e-7)


def test_of_the_values_with_the_least_deficit_those_of_the_smallest_squares_are_taken():
    generator = np.random.default_rng(0)
    masks = generator.random((12, 6)) < 0.5
    values = masks @ generator.random(6) + 0.1 * generator.random(12)
    found, deficit = least_core(masks, values, 3.0)
    assert found.sum() == pytest.approx(3.0)
    assert (masks @ found >= values - deficit - 1e-6).all()
    slow = minimize(
        lambda x: x @ x,
        found + 0.05 * generator.standard_normal(6),
        constraints=[
            {"type": "eq", "fun": lambda x: x.sum() - 3.0},
            {"type": "ineq", "fun": lambda x: masks @ x - values + deficit},
        ],
        tol=1e-12,
    )
    assert found @ found == pytest.approx(slow.fun, rel=1e-4)


def test_where_no_set_asks_for_more_than_its_even_share_all_get_the_same():
    found = smallest(np.eye(4), np.full(4, 0.1), 1.0)
    assert found.tolist() == [0.25] * 4


def test_the_least_core_of_a_learner_sums_to_the_gain_of_all_rows(tmp_path):
    problem, _ = clusters(n=20)
    solution = LeastCore(subsets=100).solve(problem, a_run(tmp_path))
    game = game_of(problem)
    assert float(solution.value.sum()) == pytest.approx(game.whole() - game.empty, abs=1e-6)
    assert solution.n_fits == 101


def test_a_net_that_chooses_learns_which_rows_are_worth_having(tmp_path, monkeypatch):
    from bench.builtin.methods.data_valuation import dvrl

    problem, _ = clusters(n=30, wrong=0)
    worth = torch.where(problem.y == 1, -1.0, 1.0).double()

    class Linear(Game):
        def _values(self, masks):
            return masks.double() @ worth

    monkeypatch.setattr(dvrl, "game_of", lambda _: Linear(30))
    found = Reinforced(steps=100).solve(problem, a_run(tmp_path))
    assert float(found.value[worth > 0].min()) > 0.8
    assert float(found.value[worth < 0].max()) < 0.2
    assert found.n_fits == 801


def test_the_likelihood_of_a_set_is_that_of_coins_and_extremes_are_pulled_back():
    logits = torch.tensor([0.3, -2.0, 1.0])
    masks = torch.tensor([[True, False, True], [False, False, False]])
    p = logits.sigmoid()
    expected = torch.stack([p[0] * (1 - p[1]) * p[2], (1 - p).prod()]).log()
    torch.testing.assert_close(_likelihood(logits, masks), expected)
    pulled = [float(_crowding(torch.tensor(mean))) for mean in (0.02, 0.5, 0.95)]
    assert pulled == pytest.approx([0.08, 0, 0.05])
