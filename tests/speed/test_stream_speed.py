"""Learning from streams against plain loops, as ratios of processor time taken in turns."""

from __future__ import annotations

import time

import torch
from bench.builtin.methods.continual.er import ExperienceReplay
from continual_small import blobs, stream_run

from bench.training.fisher import diagonal_fisher
from bench.training.stack import StackedMLP


def seconds(step):
    """Return the processor time of a step."""
    start = time.process_time()
    step()
    return time.process_time() - start


def fisher_by_loop(nets, x):
    """Return the exact matrix by a backward pass a row and class."""
    parameters = list(nets.parameters())
    found = [torch.zeros_like(own) for own in parameters]
    for row in range(x.shape[1]):
        log_p = nets(x[:, row : row + 1])[0, 0].log_softmax(0)
        for c in range(len(log_p)):
            gradients = torch.autograd.grad(log_p[c], parameters, retain_graph=True)
            for total, own in zip(found, gradients, strict=True):
                total += float(log_p[c].detach().exp()) * own.square() / x.shape[1]
    return found


def test_the_fisher_matrix_by_products_takes_a_tenth_of_a_loop_over_rows(tmp_path):
    nets = StackedMLP((64, 64, 10), [stream_run(tmp_path).seeded("init")], torch.device("cpu"))
    x = torch.randn(1, 1000, 64, generator=torch.Generator().manual_seed(0))
    few = x[:, :40]
    for own, by_loop in zip(diagonal_fisher(nets, few), fisher_by_loop(nets, few), strict=True):
        torch.testing.assert_close(own, by_loop, atol=1e-6, rtol=1e-3)
    # the loop takes 25 times as long for all rows as for 40 of them
    pairs = [
        (
            seconds(lambda: diagonal_fisher(nets, x)),
            25 * seconds(lambda: fisher_by_loop(nets, few)),
        )
        for _ in range(3)
    ]
    quick, slow = (min(side) for side in zip(*pairs, strict=True))
    assert slow / quick >= 10, slow / quick


def test_five_streams_in_a_stack_take_half_of_one_after_the_other(tmp_path):
    def problems():
        return [blobs(seed, rows=200, widths=(64,), capacity=40) for seed in range(5)]

    def runs():
        return [stream_run(tmp_path, seed) for seed in range(5)]

    method = ExperienceReplay()

    def stacked():
        of_stack, own = problems(), runs()
        return seconds(lambda: method.solve_stacked(of_stack, own))

    def one_by_one():
        alone = list(zip(problems(), runs(), strict=True))
        return seconds(lambda: [method.solve(*pair) for pair in alone])

    stacked()
    pairs = [(stacked(), one_by_one()) for _ in range(3)]
    quick, slow = (min(side) for side in zip(*pairs, strict=True))
    assert slow / quick >= 2, slow / quick
