"""The kernel of lpNTK in factors against Jacobians, and ghost clipping against a gradient a row, as
ratios of processor time taken in turns.
"""

from __future__ import annotations

import statistics
import time

import torch
from bench.builtin.methods.selection.lpntk import kernel
from bench.builtin.methods.selection.proto_priv import clipped
from torch.nn import functional as F

from bench.training.convnet import Perceptron
from bench.training.fitting import cross_entropy


def ratio(slow, quick, rounds=3):
    """Return the median processor time of one step over that of another, after a warm-up."""
    times = {slow: [], quick: []}
    for turn in range(rounds + 1):
        for step, found in times.items():
            start = time.process_time()
            step()
            if turn:
                found.append(time.process_time() - start)
    return statistics.median(times[slow]) / statistics.median(times[quick])


def drawn(rows):
    generator = torch.Generator().manual_seed(0)
    net = Perceptron(sizes=(64, 256, 10))
    x = torch.randn(rows, 64, generator=generator)
    return net, net.init([generator]), x, torch.arange(rows) % 10


def gradients(net, params, x, y, losses):
    """Return each row's gradient (N, P), row by row."""
    found = []
    for row in range(len(x)):
        own = [tensor.clone().requires_grad_() for tensor in params]
        loss = losses(net.logits(own, x[None, row : row + 1]), y[row : row + 1])
        found.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, own)]))
    return torch.stack(found)


def test_the_kernel_in_factors_is_a_hundred_times_quicker_than_by_jacobians():
    net, params, x, y = drawn(120)
    sign = (2 * F.one_hot(y, 10) - 1).float()

    def logits(own, row):
        return net.logits(own, row[None, None])[0, 0]

    def by_jacobians():
        parts = torch.func.vmap(torch.func.jacrev(logits), (None, 0))(params, x)
        jacobians = torch.cat([part.flatten(2) for part in parts], 2)  # (N, C, P)
        found = torch.einsum("nc,ncp->np", sign, jacobians)
        return found @ found.T / 10

    torch.testing.assert_close(kernel(params, x, y), by_jacobians(), rtol=1e-4, atol=1e-3)
    assert ratio(by_jacobians, lambda: kernel(params, x, y)) >= 100


def test_ghost_clipping_is_many_times_quicker_than_a_gradient_a_row():
    net, params, x, y = drawn(128)

    def by_rows():
        found = gradients(net, params, x, y, lambda z, labels: cross_entropy(z, labels[None]).sum())
        return (found * (1 / found.norm(dim=1, keepdim=True)).clamp_max(1)).sum(0)

    assert ratio(by_rows, lambda: clipped(params, x[None], y[None], 1.0)) >= 10
