"""Optimisers whose numbers don't depend on how many nets stand side by side."""

import pytest
import torch

from bench.training.optimisers import adam, descend, set_rate, sgd

SHAPES = ((16, 7), (5, 3), (10,), (48,))
"""Of one net's parameters: whole vectors of 16 numbers, and others."""


def drawn(members, steps=3):
    """Return parameters of ``members`` nets and their gradients at every step."""
    generator = torch.Generator().manual_seed(0)
    tables = [
        [torch.randn(4, *shape, generator=generator) for shape in SHAPES] for _ in range(steps + 1)
    ]
    return [[tensor[:members].clone() for tensor in table] for table in tables]


def moved(make, members):
    start, *gradients = drawn(members)
    parameters = [torch.nn.Parameter(tensor) for tensor in start]
    optimiser = make(parameters)
    for step, table in enumerate(gradients):
        set_rate(optimiser, 0.1 / (1 + step))
        for parameter, gradient in zip(parameters, table, strict=True):
            parameter.grad = gradient
        optimiser.step()
    return [parameter.detach() for parameter in parameters]


OPTIMISERS = {
    "sgd": lambda parameters: sgd(parameters, 0.1, 0.9, 0.01),
    "adam": lambda parameters: adam(parameters, 0.1),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_net_moves_the_same_alone_and_beside_others_whatever_the_sizes_of_its_parameters(name):
    alone, beside = moved(OPTIMISERS[name], 1), moved(OPTIMISERS[name], 3)
    for one, three in zip(alone, beside, strict=True):
        assert torch.equal(one[0], three[0])


def test_only_parameters_of_whole_vectors_are_left_to_the_fused_kernel():
    groups = OPTIMISERS["sgd"]([torch.nn.Parameter(table) for table in drawn(2)[0]]).param_groups
    fused = {
        group["fused"]: [tuple(part.shape[1:]) for part in group["params"]] for group in groups
    }
    assert fused == {True: [(16, 7), (48,)], False: [(5, 3), (10,)]}


def test_sgd_and_adam_are_those_of_their_formulas():
    start, *gradients = drawn(2)
    lr, momentum, decay = (0.1, 0.05, 0.1 / 3), 0.9, 0.01
    for name in OPTIMISERS:
        for place, found in enumerate(moved(OPTIMISERS[name], 2)):
            p = start[place].double()
            first, second = torch.zeros_like(p), torch.zeros_like(p)
            for step, table in enumerate(gradients):
                g = table[place].double()
                if name == "sgd":
                    first = momentum * first + g + decay * p
                    p = p - lr[step] * first
                else:
                    first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
                    hat = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
                    p = p - lr[step] * hat[0] / (hat[1].sqrt() + 1e-8)
            torch.testing.assert_close(found.double(), p, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (3, 7), (2, 3, 24)])
def test_the_gradient_handed_over_is_that_of_the_sum_of_means(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (expected,) = torch.autograd.grad(x.square().mean(-1).sum(), x)
    descend(x.square())
    torch.testing.assert_close(x.grad, expected)
