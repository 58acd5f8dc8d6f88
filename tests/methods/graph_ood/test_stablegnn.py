"""StableGNN: its dependence and the gradient against the definition; without steps it is the
baseline; its weights find what contradicts a bias.
"""

import itertools

import pytest
import torch
from bench.builtin.methods.graph_ood._decorrelation import softmax_weights, solve_weights
from bench.builtin.methods.graph_ood.erm import EmpiricalRisk
from bench.builtin.methods.graph_ood.stablegnn import KernelDependence, StableGNN

from bench.tracks.graph_ood import Training, graph_losses


def by_definition(z, blocks, w):
    """The sum over pairs of blocks of trace(K H L H) / (n - 1)^2, kernel by kernel."""
    n, width = len(z), z.shape[1] // blocks
    middle = torch.eye(n, dtype=z.dtype) - 1 / n
    kernels = []
    for block in range(blocks):
        rows = w[:, None] / n * z[:, block * width : (block + 1) * width]
        kernels.append(torch.exp(-(rows[:, None] - rows).square().sum(2) / 2))
    return sum(
        torch.trace(k @ middle @ other @ middle) / (n - 1) ** 2
        for k, other in itertools.combinations(kernels, 2)
    )


@pytest.mark.parametrize(("d", "blocks"), [(12, 4), (11, 3)])
def test_the_dependence_and_its_gradient_are_those_of_the_definition(d, blocks):
    generator = torch.Generator().manual_seed(d)
    z = 9 * torch.randn(14, d, generator=generator, dtype=torch.float64)
    w = softmax_weights(torch.randn(14, generator=generator, dtype=torch.float64))
    w.requires_grad_()
    expected = 30 * by_definition(z, blocks, w)
    found = KernelDependence(z, blocks, 30.0)
    torch.testing.assert_close(found.value(w.detach()), expected.detach())
    torch.testing.assert_close(
        found.gradient(w.detach()), torch.autograd.grad(expected, w)[0], rtol=1e-6, atol=1e-12
    )


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_without_steps_it_is_the_baseline_bit_for_bit(toy, run_of, kind):
    nets = [
        method.solve(toy(kind=kind), run_of()).model
        for method in (StableGNN(steps=0), EmpiricalRisk())
    ]
    for ours, expected in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(ours, expected)


def test_the_loss_is_weighted_by_what_the_inner_steps_find(toy, run_of):
    training = Training(toy(), run_of())
    batch = next(training.epoch(0))
    method = StableGNN(steps=5, strength=1e4)
    out = training.net(batch.graphs)
    dependence = KernelDependence(out.z.detach(), 4, 1e4 * 16)
    w = softmax_weights(solve_weights(dependence, torch.zeros(16), steps=5, lr=0.1, ridge=1.0))
    assert float(w.std()) > 1e-4
    expected = (w * graph_losses(out.logits, batch.y)).mean()
    torch.testing.assert_close(
        method.loss(method.start(training), batch, training.net), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("count", [1, 2])
def test_a_batch_of_one_graph_trains(toy, run_of, count):
    solution = StableGNN().solve(toy(count=count), run_of())
    assert all(value.isfinite().all() for value in solution.model.parameters())
    torch.testing.assert_close(solution.weights.mean(), torch.tensor(1.0))


def test_graphs_that_contradict_a_bias_weigh_more_and_the_objective_falls():
    generator = torch.Generator().manual_seed(0)
    cause = (torch.arange(128) % 2) * 2.0 - 1
    conflict = torch.arange(128) % 10 == 3
    shortcut = torch.where(conflict, -cause, cause)
    noise = 0.1 * torch.randn(128, 4, generator=generator)
    z = 3 * (torch.stack([cause, cause, shortcut, shortcut], 1) + noise)
    method = StableGNN()
    dependence = KernelDependence(z, 2, method.strength * 128)
    w = softmax_weights(
        solve_weights(
            dependence, torch.zeros(128), steps=method.steps, lr=method.weight_lr, ridge=1.0
        )
    )
    assert w[conflict].mean() > 2 * w[~conflict].mean()
    assert dependence.value(w) + w.square().mean() < (dependence.value(torch.ones(128)) + 1) / 2
