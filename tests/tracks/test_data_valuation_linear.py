"""Stacked linear models against slow fits, and their gradients and Hessians against autograd."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.nn import functional as F

from bench.errors import InvalidRun
from bench.tracks import data_valuation_linear as linear
from bench.tracks.data_valuation_linear import (
    design,
    fit,
    fitted,
    leave_one_out,
    margins,
    outputs_of,
)

LAM = 0.05
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(30, 3, generator=GENERATOR)
Y = torch.randint(3, (30,), generator=GENERATOR)
NUMBERS = X[:, 0] + torch.randn(30, generator=GENERATOR)


def objective(weights, x, y, squared):
    """The mean loss with its penalty, written down once more."""
    outputs = x @ weights
    loss = (
        0.5 * (outputs - y).square().sum(1)
        if squared
        else F.cross_entropy(outputs, y.argmax(1), reduction="none")
    )
    return loss.mean() + 0.5 * LAM * weights.square().sum()


def slow_fit(x, y, squared):
    shape = (x.shape[1], y.shape[1])

    def both(flat):
        weights = torch.from_numpy(flat).view(shape).requires_grad_()
        value = objective(weights, x, y, squared)
        value.backward()
        return value.item(), weights.grad.flatten().numpy()

    found = minimize(
        both, np.zeros(shape[0] * shape[1]), jac=True, tol=1e-12, options={"gtol": 1e-10}
    )
    return torch.from_numpy(found.x).view(shape)


def gradient_of(function, at):
    at = at.clone().requires_grad_()
    return torch.autograd.grad(function(at), at)[0]


def case(squared):
    y = NUMBERS if squared else Y
    return y, (0 if squared else 3)


@pytest.mark.parametrize("squared", [False, True])
def test_stacked_fits_are_those_of_a_general_minimiser_one_by_one(squared):
    y, classes = case(squared)
    x, wanted = design(X), outputs_of(y, classes)
    masks = torch.from_numpy(np.random.default_rng(0).random((4, 30)) < 0.5)
    found = fit(x, wanted, masks, LAM, squared=squared)
    for weights, mask in zip(found, masks, strict=True):
        expected = slow_fit(x[mask], wanted[mask], squared)
        torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)
        alone = fit(x, wanted, mask[None], LAM, squared=squared)[0]
        torch.testing.assert_close(alone, weights, atol=1e-9, rtol=0)


@pytest.mark.parametrize("squared", [False, True])
def test_errors_and_hessian_are_those_of_automatic_differentiation(squared):
    y, classes = case(squared)
    model = fitted(X, y, classes, LAM)
    x, wanted = model.x, model.y
    hessian = torch.autograd.functional.hessian(
        lambda w: objective(w, x, wanted, squared), model.weights
    )
    size = model.weights.numel()
    torch.testing.assert_close(model.hessian(), hessian.reshape(size, size))
    vectors = torch.randn(4, *model.weights.shape, generator=GENERATOR).double()
    torch.testing.assert_close(
        model.product(vectors).flatten(1), vectors.flatten(1) @ hessian.reshape(size, size)
    )
    # gradient of one row's loss: its share of the objective, without the penalty
    row = slice(4, 5)
    one = gradient_of(lambda w: objective(w, x[row], wanted[row], squared), model.weights)
    outer = torch.einsum("d,c->dc", x[4], model.errors(x, wanted)[4])
    torch.testing.assert_close(outer + LAM * model.weights, one)


@pytest.mark.parametrize("squared", [False, True])
def test_pulls_are_the_derivatives_of_the_target(squared):
    y, classes = case(squared)
    model = fitted(X, y, classes, LAM)

    def target(outputs):
        if squared:
            return -0.5 * (outputs - model.y).square().sum()
        return margins(outputs, Y).sum()

    outputs = model.x @ model.weights
    torch.testing.assert_close(model.pulls(model.x, model.y), gradient_of(target, outputs))


@pytest.mark.parametrize("squared", [False, True])
def test_models_without_one_row_each_are_those_fitted_from_nothing(squared):
    y, classes = case(squared)
    model = fitted(X, y, classes, LAM)
    direct = fit(model.x, model.y, ~torch.eye(30).bool(), LAM, squared=squared)
    torch.testing.assert_close(leave_one_out(model), direct, atol=1e-8, rtol=0)


def test_a_margin_is_the_log_odds_of_the_label():
    logits = torch.randn(2, 5, 4, generator=GENERATOR).double()
    y = torch.tensor([0, 3, 1, 1, 2])
    p = logits.softmax(-1)[:, torch.arange(5), y]
    torch.testing.assert_close(margins(logits, y), (p / (1 - p)).log())


def test_a_model_that_is_not_at_its_minimum_fails_with_a_sentence(monkeypatch):
    monkeypatch.setattr(linear, "STEPS", 3)
    with pytest.raises(InvalidRun, match=r"1 of 1 models were not fitted: .* at most 1e-10"):
        fitted(X, Y, 3, LAM)
