"""Condensation by implicit differentiation: its gradient against a whole Hessian, and in the limit
without one.
"""

import pytest
import torch
from bench.builtin.methods.condensation.ift import _DECAY, ImplicitCondensation
from torch.nn import functional as F
from trajectories import blobs

from bench.runs.context import Run
from bench.tracks.condensation import labels_of
from bench.training.convnet import Perceptron

REAL = torch.arange(0, 72, 5)


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0):
        return Run(
            seed=seed,
            task="condensation/toy",
            method="condensation/ift",
            device=torch.device("cpu"),
            workdir=tmp_path,
        )

    return make


def made():
    """A problem in float64, its images, and a net of 8 hidden units with its weights."""
    problem = blobs(dtype=torch.float64)
    images = problem.x[::24].clone().requires_grad_()
    net = Perceptron(sizes=(64, 2, 3))
    params = [tensor.double() for tensor in net.init([torch.Generator().manual_seed(0)])]
    return problem, images, net, params


def flat(parts):
    return torch.cat([part.flatten() for part in parts])


def plain(problem, images, net, params):
    """The slopes of inner and outer loss, and the weights that they are taken at."""
    weights = [tensor.clone().requires_grad_() for tensor in params]
    inner = F.cross_entropy(net.logits(weights, images[None])[0], labels_of(problem))
    inner = inner + 0.5 * _DECAY * sum((tensor**2).sum() for tensor in weights)
    outer = F.cross_entropy(net.logits(weights, problem.x[REAL][None])[0], problem.y[REAL])
    slope = torch.autograd.grad(inner, weights, create_graph=True)
    return weights, flat(slope), flat(torch.autograd.grad(outer, weights))


@pytest.mark.parametrize("solver", ["neumann", "cg"])
def test_the_gradient_is_that_of_the_whole_damped_hessian(solver):
    problem, images, net, params = made()
    method = ImplicitCondensation(solver=solver, terms=400, rate=0.2, damping=2.0)
    found = method.gradient(net, params, images, labels_of(problem), problem, REAL)
    weights, slope, outer = plain(problem, images, net, params)
    rows = [torch.autograd.grad(one, weights, retain_graph=True) for one in slope]
    hessian = torch.stack([flat(row) for row in rows])
    solved = torch.linalg.solve(hessian + 2.0 * torch.eye(len(hessian)), outer)
    (expected,) = torch.autograd.grad(slope, images, -solved)
    assert float(expected.abs().max()) > 1e-5
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_without_terms_the_hessian_is_taken_for_a_multiple_of_the_identity():
    problem, images, net, params = made()
    method = ImplicitCondensation(terms=0, rate=0.3)
    found = method.gradient(net, params, images, labels_of(problem), problem, REAL)
    _, slope, outer = plain(problem, images, net, params)
    (expected,) = torch.autograd.grad(slope, images, -0.3 * outer)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_its_counted_passes_are_those_of_nets_images_and_products(run_of):
    run = run_of()
    method = ImplicitCondensation(changes=2, first_steps=4, steps=3, terms=5)
    method.solve(blobs(updates=3), run)
    # nets take 4, 3 and 4 steps on 3 images; each change sees 3 images and 24 real ones
    assert run._counts == {"forward": 11 * 3 + 3 * 27, "backward": 11 * 3 + 3 * (7 * 3 + 24)}
