"""Each valuation against a slow computation of its formula, or a case whose answer is known."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.data_valuation.ame import AverageMarginalEffect
from bench.builtin.methods.data_valuation.banzhaf_msr import Banzhaf
from bench.builtin.methods.data_valuation.beta_shapley import BetaShapley
from bench.builtin.methods.data_valuation.class_wise import ClassWise
from bench.builtin.methods.data_valuation.cleanlab_knn import CleanlabNeighbours
from bench.builtin.methods.data_valuation.data_oob import OutOfBag
from bench.builtin.methods.data_valuation.dvrl import Reinforced
from bench.builtin.methods.data_valuation.influence import Influence
from bench.builtin.methods.data_valuation.knn_shapley import (
    NeighbourShapley,
    sorted_values,
    within,
)
from bench.builtin.methods.data_valuation.knn_shapley_query import QueryShapley
from bench.builtin.methods.data_valuation.lava import Lava, calibrated, potentials
from bench.builtin.methods.data_valuation.least_core import LeastCore
from bench.builtin.methods.data_valuation.loo import LeaveOneOut
from bench.builtin.methods.data_valuation.random import Guess
from bench.builtin.methods.data_valuation.self_influence import SelfInfluence
from bench.builtin.methods.data_valuation.shapley_perm import PermutationShapley
from bench.builtin.methods.data_valuation.subsampled_influence import SubsampledInfluence
from scipy.optimize import linprog
from sklearn.ensemble import RandomForestClassifier
from torch.nn import functional as F
from valuation_small import a_run, clusters

from bench.errors import InvalidRun
from bench.runs.tools import Tools
from bench.tracks.data_valuation import Utility
from bench.tracks.data_valuation_games import game_of, squared_distances
from bench.tracks.data_valuation_linear import design, fitted
from bench.tracks.data_valuation_sampling import all_sets, semivalues

ORDERS = PermutationShapley(permutations=40)
VALUATIONS = [
    AverageMarginalEffect(subsets=200),
    Banzhaf(subsets=400),
    BetaShapley(permutations=20),
    ClassWise(permutations=20),
    Influence(),
    Lava(),
    LeastCore(subsets=200),
    LeaveOneOut(),
    NeighbourShapley(k=3),
    OutOfBag(trees=60),
    ORDERS,
    Reinforced(steps=150),
    SelfInfluence(),
    SubsampledInfluence(subsets=400),
]


class Listening(Tools):
    """Keeps what is reported."""

    def __init__(self):
        self.heard = []

    def report(self, run, step, model):
        self.heard.append((step, model))


def value(method, problem, folder, seed=0):
    return method.solve(problem, a_run(folder, seed, tools=Listening())).value


def auroc(found, bad):
    low, high = found[bad], found[~bad]
    return float(((low[:, None] < high).double() + 0.5 * (low[:, None] == high).double()).mean())


# Nearest neighbours ------------------------------------------------------------------------------


def enumerated(matches, k, kind, guess=0.25):
    """All sets of rows that are sorted by their distance."""

    def worth(mask):
        votes = matches[mask][:k] if kind != "threshold" else matches[mask]
        if kind == "threshold":
            return votes.mean() if mask.any() else guess
        return votes.sum() / (max(1, len(votes)) if kind == "soft" else k)

    values = [worth(mask) for mask in all_sets(len(matches)).numpy()]
    return semivalues(torch.tensor(values, dtype=torch.float64), "shapley")


@pytest.mark.parametrize(("n", "k"), [(8, 3), (8, 1), (5, 7), (9, 9), (1, 2), (2, 2), (7, 6)])
@pytest.mark.parametrize("soft", [False, True])
def test_one_cumulative_sum_gives_the_shapley_values_of_all_sets(n, k, soft):
    for seed in range(3):
        matches = np.random.default_rng(seed).integers(0, 2, n).astype(float)
        found = sorted_values(torch.from_numpy(matches)[None], k, soft)[0]
        expected = enumerated(matches, k, "soft" if soft else "hard")
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_rows_within_a_radius_have_the_shapley_values_of_all_sets_and_others_none():
    inside = torch.tensor([[1, 0, 1, 1, 1, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
    matches = torch.tensor([[1.0, 1, 0, 1, 0, 0], [1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0]]).double()
    found = within(inside, matches, 0.25)
    assert (found[~inside] == 0).all()
    for row in (0, 1):
        own = matches[row][inside[row]].numpy()
        torch.testing.assert_close(found[row][inside[row]], enumerated(own, 0, "threshold"))


@pytest.mark.parametrize("kind", ["hard", "soft", "threshold"])
def test_neighbour_values_do_not_depend_on_the_chunk_and_are_the_mean_over_queries(
    kind, tmp_path, monkeypatch
):
    from bench.builtin.methods.data_valuation import knn_shapley

    problem, _ = clusters(queries=7)
    found = NeighbourShapley(k=3, kind=kind).solve(problem, a_run(tmp_path))
    assert found.attribution.shape == (40, 7)
    torch.testing.assert_close(found.value, found.attribution.mean(1))
    monkeypatch.setattr(knn_shapley, "CHUNK", 80)
    again = NeighbourShapley(k=3, kind=kind).solve(problem, a_run(tmp_path))
    torch.testing.assert_close(again.attribution, found.attribution, atol=1e-12, rtol=0)


def test_no_more_queries_than_fit_in_a_chunk_are_valued_at_once(tmp_path, monkeypatch):
    from bench.builtin.methods.data_valuation import knn_shapley

    problem, _ = clusters(n=40)
    seen = []

    def listened(a, b):
        seen.append(len(a) * len(b))
        return squared_distances(a, b)

    monkeypatch.setattr(knn_shapley, "CHUNK", 3 * 40 + 39)
    monkeypatch.setattr(knn_shapley, "squared_distances", listened)
    NeighbourShapley(k=3).solve(problem, a_run(tmp_path))
    assert max(seen) == 3 * 40
    assert sum(seen) == 40 * 40


def test_a_query_alone_has_the_values_of_a_validation_row_alone(tmp_path):
    problem, _ = clusters(queries=4)
    found = QueryShapley(k=3).solve(problem, a_run(tmp_path)).attribution
    for t in range(4):
        x, y = problem.queries.x[t : t + 1], problem.queries.y[t : t + 1]
        alone = msgspec.structs.replace(problem, x_val=x, y_val=y, queries=None)
        expected = value(NeighbourShapley(k=3), alone, tmp_path)
        torch.testing.assert_close(found[:, t], expected, atol=1e-12, rtol=0)


def test_neighbour_values_sum_to_the_utility_of_all_rows_and_are_those_of_its_game(tmp_path):
    problem, _ = clusters(n=8)
    problem = msgspec.structs.replace(problem, utility=Utility(learner="knn", k=3, empty=0.0))
    found = value(NeighbourShapley(k=3), problem, tmp_path)
    game = game_of(problem)
    assert float(found.sum()) == pytest.approx(game.whole(), abs=1e-10)
    exact = semivalues(game.values(all_sets(8)), "shapley")
    torch.testing.assert_close(found, exact, atol=1e-10, rtol=0)


# Orders and sets -------------------------------------------------------------------------------


def test_leaving_one_out_is_a_loop_of_fits(tmp_path):
    problem, _ = clusters()
    masks = torch.ones(40, 40, dtype=torch.bool)
    masks.fill_diagonal_(False)
    game = game_of(problem)
    expected = game.whole() - torch.stack([game.values(mask[None])[0] for mask in masks])
    solution = LeaveOneOut().solve(problem, a_run(tmp_path))
    torch.testing.assert_close(solution.value, expected)
    assert solution.n_fits == 41


@pytest.mark.parametrize("numbers", [False, True])
def test_orders_give_values_that_sum_to_the_gain_and_beta_weighs_the_same_gains(numbers, tmp_path):
    problem, _ = clusters(numbers=numbers)
    game = game_of(problem)
    solution = ORDERS.solve(problem, a_run(tmp_path, tools=Listening()))
    gained = game.whole() - game.empty
    assert float(solution.value.sum()) == pytest.approx(gained, abs=1e-9)
    assert solution.n_fits == 40 * 40
    torch.testing.assert_close(solution.halves.mean(0), solution.value)
    plain = BetaShapley(alpha=1, beta=1, permutations=40)
    again = plain.solve(problem, a_run(tmp_path, tools=Listening()))
    assert torch.equal(again.value, solution.value)
    assert (plain.estimates(), BetaShapley().estimates()) == ("shapley", "beta")
    assert BetaShapley(alpha=4).estimates() is None


def test_what_is_reported_after_some_fits_are_the_values_of_so_many_orders(tmp_path):
    problem, _ = clusters()
    heard = Listening()
    ORDERS.solve(problem, a_run(tmp_path, tools=heard))
    assert [step for step, _ in heard.heard] == [100, 1000]
    few = PermutationShapley(permutations=25)
    torch.testing.assert_close(heard.heard[1][1].value, value(few, problem, tmp_path))


def test_truncated_orders_cost_fewer_fits_and_say_that_they_are_biased(tmp_path):
    problem, _ = clusters()
    cut = PermutationShapley(permutations=20, truncation=0.05)
    solution = cut.solve(problem, a_run(tmp_path, tools=Listening()))
    assert solution.n_fits < 20 * 40
    assert solution.estimates is None


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (PermutationShapley(permutations=4000), "shapley"),
        (BetaShapley(permutations=4000), "beta"),
        (Banzhaf(subsets=40_000), "banzhaf"),
    ],
)
def test_many_samples_come_near_the_enumerated_values(method, target, tmp_path):
    problem, _ = clusters(n=7)
    exact = semivalues(game_of(problem).values(all_sets(7)), target)
    solution = method.solve(problem, a_run(tmp_path, tools=Listening()))
    assert solution.estimates == target
    allowed = 0.006 if target == "banzhaf" else 4 * solution.stderr + 1e-9
    assert ((solution.value - exact).abs() <= allowed).all()


def test_an_antithetic_order_has_the_smaller_error_for_a_monotone_game(tmp_path):
    problem, _ = clusters(n=8, numbers=True)
    exact = semivalues(game_of(problem).values(all_sets(8)), "shapley")

    def error(antithetic):
        found = [
            value(PermutationShapley(permutations=10, antithetic=antithetic), problem, tmp_path, s)
            for s in range(20)
        ]
        return float((torch.stack(found) - exact).square().mean())

    assert error(True) < error(False)


def test_a_budget_of_fits_is_kept_and_one_too_small_is_refused_in_a_sentence(tmp_path):
    problem, _ = clusters(n=8, max_fits=50)
    for method in (
        ORDERS,
        Banzhaf(),
        AverageMarginalEffect(),
        ClassWise(),
        LeastCore(),
        OutOfBag(),
    ):
        assert method.solve(problem, a_run(tmp_path, tools=Listening())).n_fits <= 50
    tight = msgspec.structs.replace(problem, max_fits=7)
    for method in (ORDERS, ClassWise(), LeaveOneOut()):
        with pytest.raises(InvalidRun, match=r"max_fits is 7, fewer than the .* allow more fits"):
            method.solve(tight, a_run(tmp_path))


def test_marginal_effects_are_found_where_the_game_is_linear(tmp_path, monkeypatch):
    from bench.builtin.methods.data_valuation import ame

    from bench.tracks.data_valuation_games import Game

    worth = torch.zeros(12, dtype=torch.float64)
    worth[:3] = torch.tensor([3.0, -2.0, 1.0])

    class Linear(Game):
        def _values(self, masks):
            return masks.double() @ worth

    monkeypatch.setattr(ame, "game_of", lambda _: Linear(12))
    problem, _ = clusters(n=12)
    found = value(AverageMarginalEffect(subsets=400), problem, tmp_path)
    assert found.argmax() == 0
    assert found.argmin() == 1
    assert found[3:].abs().max() < 0.1 * found[:3].abs().min()
    worth.zero_()
    assert (value(AverageMarginalEffect(subsets=40), problem, tmp_path) == 0).all()


def test_parts_of_one_size_tell_a_row_from_the_mean_of_the_others(tmp_path, monkeypatch):
    from bench.builtin.methods.data_valuation import subsampled_influence

    from bench.tracks.data_valuation_games import Game

    worth = torch.zeros(12, dtype=torch.float64)
    worth[:2] = torch.tensor([3.0, -2.0])
    sizes = set()

    class Linear(Game):
        def _values(self, masks):
            sizes.update(masks.sum(1).tolist())
            return masks.double() @ worth

    monkeypatch.setattr(subsampled_influence, "game_of", lambda _: Linear(12))
    problem, _ = clusters(n=12)
    found = value(SubsampledInfluence(subsets=6000, share=0.5), problem, tmp_path)
    expected = worth - (worth.sum() - worth) / 11
    torch.testing.assert_close(found, expected, atol=0.3, rtol=0)
    assert sizes == {6}


def test_cleanlab_gives_a_row_what_it_adds_among_the_nearest_of_each_training_row(tmp_path):
    pytest.importorskip("cleanlab")
    problem, bad = clusters()
    found = value(CleanlabNeighbours(k=3), problem, tmp_path)
    distances = squared_distances(problem.x, problem.x).fill_diagonal_(torch.inf)
    total = torch.zeros(40, dtype=torch.float64)
    for row in range(40):
        near = distances[row].argsort()[:3]
        match = (problem.y[near] == problem.y[row]).double()
        total[near] += match - match[-1]  # the farthest of them is worth nothing
    torch.testing.assert_close(found, 0.5 + total / 3 / 40 / 2)
    assert auroc(found, bad) > 0.6


# Trees, gradients, transport ------------------------------------------------------------------


def test_out_of_bag_values_are_the_share_of_right_trees_that_did_not_see_the_row(tmp_path):
    problem, _ = clusters()
    found = OutOfBag(trees=30).solve(problem, a_run(tmp_path))
    seed = int(a_run(tmp_path).numpy_generator("method").integers(2**31))
    forest = RandomForestClassifier(30, max_features="sqrt", random_state=seed)
    x, y = problem.x.numpy(), problem.y.numpy()
    forest.fit(x, y)
    for row in range(0, 40, 7):
        right = [
            forest.classes_[int(tree.predict(x[row : row + 1])[0])] == y[row]
            for tree, seen in zip(forest.estimators_, forest.estimators_samples_, strict=True)
            if row not in seen
        ]
        assert float(found.value[row]) == pytest.approx(np.mean(right))


def test_a_row_that_no_tree_left_out_has_the_median_value(tmp_path):
    for n in (3, 40):  # of three rows, a tree may have seen all
        problem, _ = clusters(n=n)
        for seed in range(3):
            found = value(OutOfBag(trees=2), problem, tmp_path, seed)
            assert torch.isfinite(found).all()


@pytest.mark.parametrize("numbers", [False, True])
def test_influence_is_what_a_fit_with_a_little_less_weight_on_a_row_loses(numbers, tmp_path):
    problem, _ = clusters(numbers=numbers, wrong=0.1)
    found = value(Influence(), problem, tmp_path)
    model = fitted(problem.x, problem.y, problem.n_classes, problem.penalty)
    n, small = 40, 1e-4

    def loss_without(row):
        weights = model.weights.clone()
        share = torch.ones(n, dtype=torch.float64)
        share[row] -= small
        for _ in range(50):  # Newton's steps on the loss with that weight
            now = model._replace(weights=weights)
            errors = now.errors(model.x, model.y) * share[:, None] / n
            gradient = model.x.T @ errors + model.lam * weights
            weights = weights - torch.linalg.solve(now.hessian(), gradient.flatten()).view_as(
                weights
            )
        outputs = design(problem.x_val) @ weights
        if numbers:
            return 0.5 * (outputs[:, 0] - problem.y_val).square().mean()
        return F.cross_entropy(outputs, problem.y_val)

    base = loss_without(slice(0, 0))
    for row in (0, 11, 25):
        assert float(loss_without(row) - base) / small == pytest.approx(
            float(found[row]), rel=0.02, abs=1e-6
        )


def test_self_influence_is_minus_the_square_of_the_gradient_in_the_metric_of_the_hessian(tmp_path):
    problem, _ = clusters()
    found = value(SelfInfluence(), problem, tmp_path)
    model = fitted(problem.x, problem.y, 3, problem.penalty)
    inverse = torch.linalg.inv(model.hessian())
    errors = model.errors(model.x, model.y)
    for row in range(0, 40, 9):
        gradient = torch.outer(model.x[row], errors[row]).flatten()
        assert float(found[row]) == pytest.approx(float(-gradient @ inverse @ gradient))


def test_transport_potentials_give_a_plan_with_the_right_weights_near_the_linear_programme():
    generator = torch.Generator().manual_seed(0)
    cost = torch.rand(1, 6, 5, generator=generator, dtype=torch.float64)
    f, g = potentials(cost, 0.005)
    plan = ((f[0][:, None] + g[0] - cost[0]) / 0.005).exp() / 30
    torch.testing.assert_close(plan.sum(1), torch.full((6,), 1 / 6).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(plan.sum(0), torch.full((5,), 1 / 5).double(), atol=1e-5, rtol=0)
    rows = np.kron(np.eye(6), np.ones(5)), np.kron(np.ones(6), np.eye(5))
    exact = linprog(
        cost.flatten().numpy(),
        A_eq=np.concatenate(rows),
        b_eq=np.concatenate([np.full(6, 1 / 6), np.full(5, 1 / 5)]),
    )
    assert float((plan * cost[0]).sum()) == pytest.approx(exact.fun, abs=0.01)


def test_calibrated_potentials_ignore_a_constant_and_sum_to_nothing():
    potential = torch.tensor([1.0, 4.0, 2.0]).double()
    found = calibrated(potential)
    torch.testing.assert_close(found, calibrated(potential + 7))
    assert found.tolist() == pytest.approx([-2, 2.5, -0.5])


def test_a_row_far_from_all_validation_rows_is_worth_least_to_the_transport(tmp_path):
    problem, _ = clusters(wrong=0)
    problem.x[5] += 30
    found = value(Lava(), problem, tmp_path)
    assert found.argmin() == 5
    gone = msgspec.structs.replace(problem, y_val=torch.zeros_like(problem.y_val))
    assert torch.isfinite(value(Lava(), gone, tmp_path)).all()  # classes without a validation row


# What all of them must do -----------------------------------------------------------------------


@pytest.mark.parametrize("method", VALUATIONS, ids=lambda method: method.card.name)
def test_wrong_labels_are_worth_less_than_right_ones(method, tmp_path):
    found = []
    for seed in range(2):
        problem, bad = clusters(seed=seed)
        found.append(auroc(value(method, problem, tmp_path, seed), bad))
    assert np.mean(found) > (0.6 if method.card.name in ("loo", "ame", "lava") else 0.8)
    assert abs(auroc(value(Guess(), *clusters()[:1], tmp_path), clusters()[1]) - 0.5) < 0.3


@pytest.mark.parametrize(
    "method",
    [one for one in VALUATIONS if "classes" not in one.card.needs],
    ids=lambda method: method.card.name,
)
def test_rows_with_wrong_numbers_are_worth_less_where_labels_are_numbers(method, tmp_path):
    problem, bad = clusters(numbers=True)
    assert auroc(value(method, problem, tmp_path), bad) > 0.6


@pytest.mark.parametrize("method", VALUATIONS, ids=lambda method: method.card.name)
def test_values_change_with_the_stream_where_something_is_drawn_and_only_there(method, tmp_path):
    problem, _ = clusters()
    one, other = (method.solve(problem, a_run(tmp_path, s, tools=Listening())) for s in (0, 1))
    drawn = one.halves is not None or isinstance(method, Reinforced)
    assert torch.equal(one.value, other.value) != drawn
    again = value(method, problem, tmp_path)
    assert torch.equal(again, one.value)
    assert one.value.dtype == torch.float64


@pytest.mark.parametrize(
    "method",
    [NeighbourShapley(), OutOfBag(trees=40), PermutationShapley(permutations=20)],
    ids=lambda method: method.card.name,
)
def test_a_right_label_that_is_made_wrong_lowers_the_value_of_its_row(method, tmp_path):
    problem, _ = clusters(n=60, wrong=0)
    before = value(method, problem, tmp_path)
    lower = []
    for row in range(0, 60, 3):
        y = problem.y.clone()
        y[row] = (y[row] + 1) % 3
        after = value(method, msgspec.structs.replace(problem, y=y), tmp_path)
        lower.append(bool(after[row] < before[row]))
    assert np.mean(lower) >= 0.9


def with_copies():
    """A problem whose rows 20 to 23 are copies of its first."""
    problem, _ = clusters()
    x, y = problem.x.clone(), problem.y.clone()
    x[20:24], y[20:24] = x[:4], y[:4]
    return msgspec.structs.replace(problem, x=x, y=y)


def test_exact_copies_get_the_same_value_where_nothing_is_drawn_for_a_row_alone(tmp_path):
    for method in (LeaveOneOut(), Influence(), SelfInfluence(), Lava(), Reinforced(steps=20)):
        found = value(method, with_copies(), tmp_path)
        torch.testing.assert_close(found[20:24], found[:4], atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize(
    "method", [ORDERS, BetaShapley(permutations=40)], ids=lambda method: method.card.name
)
def test_exact_copies_are_within_four_of_the_standard_errors_that_orders_give(method, tmp_path):
    solution = method.solve(with_copies(), a_run(tmp_path, tools=Listening()))
    apart = (solution.value[20:24] - solution.value[:4]).abs()
    assert (apart <= 4 * (solution.stderr[20:24] ** 2 + solution.stderr[:4] ** 2).sqrt()).all()


@pytest.mark.parametrize(
    "method",
    [
        PermutationShapley(permutations=10),
        PermutationShapley(permutations=10, antithetic=True),
        PermutationShapley(permutations=10, truncation=0.05),
        BetaShapley(permutations=10),
        Banzhaf(subsets=200),
        SubsampledInfluence(subsets=200),
        AverageMarginalEffect(subsets=80),
        ClassWise(permutations=5),
        LeastCore(subsets=80),
        OutOfBag(trees=15),
    ],
    ids=lambda method: method.card.name,
)
def test_samplers_give_copies_values_within_four_standard_errors_over_streams(method, tmp_path):
    found = torch.stack([value(method, with_copies(), tmp_path, seed) for seed in range(12)])
    apart = found[:, 20:24] - found[:, :4]
    error = apart.std(0) / len(apart) ** 0.5
    assert (apart.mean(0).abs() <= 4 * error + 1e-12).all()
    assert (error > 0).any()  # something was drawn


def test_distances_are_those_of_all_pairs():
    a, b = torch.randn(5, 2, 3), torch.randn(4, 2, 3)
    expected = torch.cdist(a.flatten(1).double(), b.flatten(1).double()) ** 2
    torch.testing.assert_close(squared_distances(a, b), expected)
