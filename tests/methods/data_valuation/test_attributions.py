"""Each attribution against a slow computation of its formula, by gradients of automatic
differentiation or by fits.
"""

import msgspec
import pytest
import torch
from bench.builtin.methods.data_valuation.grad_cos import GradientCosine
from bench.builtin.methods.data_valuation.grad_dot import GradientProduct
from bench.builtin.methods.data_valuation.hd_rps_l1 import (
    SparseRepresenters,
    proximal_fit,
    shrunk,
)
from bench.builtin.methods.data_valuation.hd_rps_nuclear import LowRankRepresenters, shrunk_rank
from bench.builtin.methods.data_valuation.if_cg import ConjugateGradients
from bench.builtin.methods.data_valuation.if_exact import ExactInfluence
from bench.builtin.methods.data_valuation.loo_retrain import Retrain
from bench.builtin.methods.data_valuation.random import Guess
from bench.builtin.methods.data_valuation.rps import RepresenterPoints
from bench.builtin.methods.data_valuation.same_class import SameClass
from bench.builtin.methods.data_valuation.same_class_rbf import SameClassNear
from bench.builtin.methods.data_valuation.tracin import TracIn
from bench.builtin.methods.data_valuation.trak import Trak
from torch.nn import functional as F
from valuation_small import a_run, clusters

from bench.tracks.data_valuation import attribution_of, value_of
from bench.tracks.data_valuation_linear import design, fit, fitted, margins, outputs_of

PROBLEM, _ = clusters(n=25, queries=6)
MODEL = fitted(PROBLEM.x, PROBLEM.y, 3, PROBLEM.penalty)
QUERIES = design(PROBLEM.queries.x)


def given(method, folder, problem=PROBLEM):
    return method.solve(problem, a_run(folder)).attribution


def slow(weights=MODEL.weights):
    """Return gradients of every row's loss (n, d C) and of every query's margin (T, d C)."""

    def gradient(function):
        at = weights.clone().requires_grad_()
        return torch.autograd.grad(function(at), at)[0].flatten()

    losses = [
        gradient(lambda w, i=i: F.cross_entropy(MODEL.x[i] @ w, PROBLEM.y[i])) for i in range(25)
    ]
    tops = [
        gradient(lambda w, t=t: margins(QUERIES[t : t + 1] @ w, PROBLEM.queries.y[t : t + 1])[0])
        for t in range(6)
    ]
    return torch.stack(losses), torch.stack(tops)


def pearson(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))


def test_exact_influence_is_the_product_with_the_inverse_hessian(tmp_path):
    losses, tops = slow()
    expected = -losses @ torch.linalg.inv(MODEL.hessian()) @ tops.T / 25
    torch.testing.assert_close(given(ExactInfluence(), tmp_path), expected)


def test_exact_influence_tells_what_fits_without_a_row_lose(tmp_path):
    problem, _ = clusters(n=150, queries=5)
    found, truth = (given(method, tmp_path, problem) for method in (ExactInfluence(), Retrain()))
    assert float(pearson(found, truth).mean()) > 0.99


def test_fitting_anew_is_a_loop_of_fits(tmp_path):
    found = given(Retrain(), tmp_path)
    before = margins(QUERIES @ MODEL.weights, PROBLEM.queries.y)
    for row in (0, 7, 24):
        mask = torch.ones(1, 25, dtype=torch.bool)
        mask[0, row] = False
        weights = fit(MODEL.x, outputs_of(PROBLEM.y, 3), mask, PROBLEM.penalty)[0]
        after = margins(QUERIES @ weights, PROBLEM.queries.y)
        torch.testing.assert_close(found[row], before - after, atol=1e-7, rtol=0)
    assert Retrain().solve(PROBLEM, a_run(tmp_path)).n_fits == 26


def test_enough_conjugate_gradients_solve_exactly_and_few_do_not(tmp_path):
    exact = given(ExactInfluence(), tmp_path)
    torch.testing.assert_close(given(ConjugateGradients(steps=60), tmp_path), exact)
    few = given(ConjugateGradients(steps=2), tmp_path)
    assert not torch.allclose(few, exact, rtol=0.01)
    assert float(pearson(given(ConjugateGradients(), tmp_path), exact).min()) > 0.9


def test_much_damping_turns_influence_into_the_product_of_gradients(tmp_path):
    damped = given(ConjugateGradients(steps=60, damping=1e6), tmp_path)
    product = given(GradientProduct(), tmp_path)
    assert float(F.cosine_similarity(damped, product, dim=0).min()) > 0.999


def test_a_large_penalty_turns_influence_into_the_product_of_gradients(tmp_path):
    problem = msgspec.structs.replace(PROBLEM, penalty=1e5)
    exact, product = (
        given(method, tmp_path, problem) for method in (ExactInfluence(), GradientProduct())
    )
    assert float(F.cosine_similarity(exact, product, dim=0).min()) > 0.999
    apart = given(ExactInfluence(), tmp_path), given(GradientProduct(), tmp_path)
    assert float(F.cosine_similarity(*apart, dim=0).min()) < 0.999


def test_products_and_cosines_are_those_of_whole_gradients(tmp_path):
    losses, tops = slow()
    torch.testing.assert_close(given(GradientProduct(), tmp_path), -losses @ tops.T)
    expected = -F.normalize(losses, dim=1) @ F.normalize(tops, dim=1).T
    torch.testing.assert_close(given(GradientCosine(), tmp_path), expected)


def test_tracin_adds_products_of_gradients_at_the_weights_of_its_checkpoints(tmp_path):
    x, y = MODEL.x, MODEL.y
    rate = 1 / (0.5 * torch.linalg.matrix_norm(x.T @ x / 25, 2) + MODEL.lam)
    weights, expected = torch.zeros_like(MODEL.weights), torch.zeros(25, 6).double()
    for step in range(1, 13):
        gradient = x.T @ ((x @ weights).softmax(-1) - y) / 25 + MODEL.lam * weights
        weights = weights - rate * gradient
        if step in (4, 8, 12):
            losses, tops = slow(weights)
            expected -= rate * losses @ tops.T
    torch.testing.assert_close(given(TracIn(checkpoints=3, steps=12), tmp_path), expected)


def test_trak_is_its_formula_in_the_space_of_gradients(tmp_path):
    def features(x, y):
        rows = []
        for i in range(len(x)):
            at = MODEL.weights.clone().requires_grad_()
            margin = margins(x[i : i + 1] @ at, y[i : i + 1])[0]
            rows.append(torch.autograd.grad(margin, at)[0].flatten())
        return torch.stack(rows)

    own, others = features(MODEL.x, PROBLEM.y), features(QUERIES, PROBLEM.queries.y)
    matrix = own.T @ own + PROBLEM.penalty * 25 * torch.eye(own.shape[1]).double()
    doubt = 1 - (MODEL.x @ MODEL.weights).softmax(-1)[torch.arange(25), PROBLEM.y]
    expected = (own @ torch.linalg.inv(matrix) @ others.T) * doubt[:, None]
    torch.testing.assert_close(given(Trak(), tmp_path), expected, atol=1e-7, rtol=1e-6)


def test_representers_add_up_to_the_logit_and_their_weights_to_the_model(tmp_path):
    found = given(RepresenterPoints(), tmp_path)
    logits = (QUERIES @ MODEL.weights).gather(1, PROBLEM.queries.y[:, None])[:, 0]
    torch.testing.assert_close(found.sum(0), logits, atol=1e-7, rtol=0)
    alpha = -MODEL.errors(MODEL.x, MODEL.y) / (PROBLEM.penalty * 25)
    torch.testing.assert_close(MODEL.x.T @ alpha, MODEL.weights, atol=1e-8, rtol=0)


def test_representers_of_a_sparse_model_add_up_to_its_logit(tmp_path):
    found = given(SparseRepresenters(lam=0.05), tmp_path)
    weights = proximal_fit(MODEL.x, MODEL.y, 0.05, shrunk)
    logits = (QUERIES @ weights).gather(1, PROBLEM.queries.y[:, None])[:, 0]
    torch.testing.assert_close(found.sum(0), logits, atol=1e-6, rtol=0)
    assert 0 < int((weights != 0).sum()) < weights.numel()
    gradient = MODEL.x.T @ ((MODEL.x @ weights).softmax(-1) - MODEL.y) / 25
    assert gradient.abs().max() <= 0.05 + 1e-7
    on = weights != 0
    torch.testing.assert_close(gradient[on], -0.05 * weights[on].sign(), atol=1e-7, rtol=0)


def test_representers_of_a_model_of_low_rank_add_up_to_its_logit(tmp_path):
    found = given(LowRankRepresenters(lam=0.1), tmp_path)
    weights = proximal_fit(MODEL.x, MODEL.y, 0.1, shrunk_rank)
    logits = (QUERIES @ weights).gather(1, PROBLEM.queries.y[:, None])[:, 0]
    torch.testing.assert_close(found.sum(0), logits, atol=1e-8, rtol=0)
    sizes = torch.linalg.svdvals(weights)
    assert float(sizes[0]) > 0.1
    assert float(sizes[-1]) < 1e-9
    gradient = MODEL.x.T @ ((MODEL.x @ weights).softmax(-1) - MODEL.y) / 25
    assert float(torch.linalg.svdvals(gradient)[0]) <= 0.1 + 1e-7  # the dual norm


def test_the_controls_are_labels_alone_and_labels_weighed_by_distance(tmp_path):
    same = PROBLEM.y[:, None] == PROBLEM.queries.y
    assert torch.equal(given(SameClass(), tmp_path), same.double())
    apart = (PROBLEM.x[:, None] - PROBLEM.queries.x).double().square().sum(-1)
    expected = same * torch.exp(-apart / 2 / 4)
    torch.testing.assert_close(given(SameClassNear(width=2.0), tmp_path), expected)


@pytest.mark.parametrize(
    "method",
    [
        ConjugateGradients(),
        ExactInfluence(),
        GradientCosine(),
        GradientProduct(),
        LowRankRepresenters(),
        RepresenterPoints(),
        Retrain(),
        SparseRepresenters(),
        TracIn(),
        Trak(),
    ],
    ids=lambda method: method.card.name,
)
def test_a_row_with_a_wrong_label_is_attributed_less_for_queries_of_its_true_class(
    method, tmp_path
):
    problem, bad = clusters(n=60, queries=20, seed=3)
    found = given(method, tmp_path, problem)
    assert float(found[bad].mean()) < float(found[~bad].mean())
    assert found.shape == (60, 20)
    assert found.dtype == torch.float64


def test_a_guess_has_a_number_for_each_row_and_query_and_values_stand_in_for_attributions(tmp_path):
    solution = Guess().solve(PROBLEM, a_run(tmp_path))
    assert solution.attribution.shape == (25, 6)
    only = type(solution)(attribution=solution.attribution)
    torch.testing.assert_close(value_of(only), solution.attribution.mean(1))
    blind = attribution_of(type(solution)(value=solution.value), 6)
    assert torch.equal(blind, solution.value[:, None].expand(25, 6))
