"""Scores of pixels against derivatives by hand, and where two methods must agree."""

import pytest
import torch
from bench.builtin.methods.input_attribution.gradient_input import GradientInput
from bench.builtin.methods.input_attribution.input_gradient import InputGradient
from bench.builtin.methods.input_attribution.integrated_gradients import IntegratedGradients
from bench.builtin.methods.input_attribution.intensity import Intensity
from bench.builtin.methods.input_attribution.logit_gradient import LogitGradient
from bench.builtin.methods.input_attribution.random import Guess
from bench.builtin.methods.input_attribution.smoothgrad import SmoothGrad

from bench.checks import check_problem, check_solution
from bench.errors import InvalidRun, ParameterError
from bench.runs.context import Run
from bench.tracks.input_attribution import Problem, gradients


def problem(linear=False, n=6, seed=0):
    """A net of three classes on pictures of 4x3, or one without a hidden layer."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator)

    sizes = [(3, 12)] if linear else [(5, 12), (3, 5)]
    x = torch.rand(n, 1, 4, 3, generator=generator)
    return Problem(
        x=x,
        y=torch.randint(3, (n,), generator=generator),
        n_classes=3,
        mean=x.mean(0),
        weights=tuple(drawn(*size) for size in sizes),
        biases=tuple(drawn(size[0]) for size in sizes),
    )


@pytest.fixture
def run(tmp_path):
    return Run(
        seed=0,
        task="input-attribution/toy",
        method="input-attribution/x",
        device=torch.device("cpu"),
        workdir=tmp_path,
    )


def numeric(function, x, step=1e-3):
    """Return the derivative of function (n,) by every pixel, by differences in float64."""
    found = torch.zeros_like(x, dtype=torch.float64)
    flat = found.view(len(x), -1)
    for pixel in range(flat.shape[1]):
        moved = torch.zeros(1, flat.shape[1], dtype=torch.float64)
        moved[0, pixel] = step
        moved = moved.view(1, *x.shape[1:])
        flat[:, pixel] = (function(x + moved) - function(x - moved)) / (2 * step)
    return found


def in_float64(one):
    return Problem(
        x=one.x,
        y=one.y,
        n_classes=one.n_classes,
        mean=one.mean,
        weights=tuple(weight.double() for weight in one.weights),
        biases=tuple(bias.double() for bias in one.biases),
    )


@pytest.mark.parametrize("of", ["logit", "loss"])
def test_gradients_are_those_that_differences_give(run, of):
    small = problem()
    exact = in_float64(small)

    def judged(x):
        logits = exact.model(x)
        if of == "logit":
            return logits.gather(1, exact.y[:, None])[:, 0]
        return -logits.log_softmax(1).gather(1, exact.y[:, None])[:, 0]

    # a step so small that no hidden unit changes sides
    by_hand = numeric(judged, small.x.double(), 1e-6)
    assert torch.allclose(gradients(small, small.x, run, of).double(), by_hand, atol=1e-4)


def test_input_gradient_is_the_size_of_the_gradient_of_the_loss_and_logit_gradient_of_the_logit(
    run,
):
    small = problem()
    for method, of in ((InputGradient(), "loss"), (LogitGradient(), "logit")):
        scores = method.solve(small, run).scores
        assert torch.equal(scores, gradients(small, small.x, run, of).abs())


def test_of_a_linear_net_the_gradients_are_its_weights(run):
    linear = problem(linear=True)
    weights = linear.weights[0][linear.y].view_as(linear.x)
    assert torch.allclose(LogitGradient().attribute(linear, run), weights)
    assert torch.allclose(SmoothGrad().attribute(linear, run), weights, atol=1e-5)
    assert torch.allclose(GradientInput().attribute(linear, run), weights * linear.x)
    away = weights * (linear.x - linear.mean)
    assert torch.allclose(IntegratedGradients().attribute(linear, run), away, atol=1e-5)


def test_integrated_gradients_add_up_to_what_the_logit_gains(run):
    # completeness, proposition 1; the path crosses kinks, so the sum is near
    small = problem()
    found = IntegratedGradients(steps=2000).attribute(small, run).flatten(1).sum(1)
    with torch.no_grad():
        own = small.y[:, None]
        gained = small.model(small.x).gather(1, own) - small.model(small.mean[None])[0][own]
    assert torch.allclose(found, gained[:, 0], atol=2e-2)


def test_smoothgrad_without_noise_is_the_gradient_of_the_logit(tmp_path, run):
    small = problem()
    assert torch.allclose(
        SmoothGrad(noise=0.0, draws=3).attribute(small, run), LogitGradient().attribute(small, run)
    )


def test_intensity_is_the_distance_from_the_mean_and_a_guess_is_not_repeated(tmp_path, run):
    small = problem()
    assert torch.equal(Intensity().solve(small, run).scores, (small.x - small.mean).abs())
    guess = Guess().solve(small, run).scores
    assert len(guess.unique()) == guess.numel()


def test_every_method_returns_what_the_track_declares_and_leaves_its_inputs(tmp_path):
    small = problem()
    before = [tensor.clone() for tensor in (small.x, *small.weights, *small.biases)]
    checked, scope = check_problem(small, (Problem,))
    for kind in (
        Guess,
        Intensity,
        InputGradient,
        LogitGradient,
        GradientInput,
        SmoothGrad,
        IntegratedGradients,
    ):
        own = Run(
            seed=0, task="t", method=kind.card.name, device=torch.device("cpu"), workdir=tmp_path
        )
        check_solution(kind().solve(checked, own), checked, scope)
    after = (small.x, *small.weights, *small.biases)
    assert all(map(torch.equal, before, after))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (SmoothGrad, {"draws": 0}),
        (SmoothGrad, {"noise": -1.0}),
        (IntegratedGradients, {"steps": 0}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)


def test_layers_that_do_not_fit_are_named():
    small = problem()
    with pytest.raises(InvalidRun, match="layer 1 has weights"):
        Problem(
            x=small.x,
            y=small.y,
            n_classes=3,
            mean=small.mean,
            weights=(small.weights[0], torch.zeros(3, 4)),
            biases=small.biases,
        ).validate()
    with pytest.raises(InvalidRun, match="puts out 5 numbers for 3 classes"):
        Problem(
            x=small.x,
            y=small.y,
            n_classes=3,
            mean=small.mean,
            weights=small.weights[:1],
            biases=small.biases[:1],
        ).validate()
