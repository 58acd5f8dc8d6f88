"""Sparse over-parameterisation against its formula."""

import contextlib

import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_labels.sop import SparseOverParameterisation
from noisy_helpers import Plain, assert_same_member, batch_of, draw, each, orders
from torch import nn

from bench.tracks.noisy_labels import Seeds, train_step
from bench.training.stack import StackedMLP


def test_sop_trains_net_and_noise_as_a_plain_loop_over_examples_does(toy, run_of):
    problems = [toy(seed, dtype=torch.float64) for seed in range(2)]
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    method = SparseOverParameterisation(lr_u=0.5, lr_v=2.0)
    torch.manual_seed(1)
    inits = [contextlib.nullcontext() for _ in range(2)]
    nets = StackedMLP((6, 8, 4), inits, torch.device("cpu")).double()
    state = method.start(seeds)
    state.u, state.v = (
        0.6 * torch.randn(140, 1, dtype=torch.float64),
        0.6 * torch.randn(140, 4, dtype=torch.float64),
    )
    start = state.u.clone(), state.v.clone()
    plain = [Plain(nets, k) for k in range(2)]
    noise = [
        [nn.Parameter(part[70 * k : 70 * k + 70].clone()) for part in (state.u, state.v)]
        for k in range(2)
    ]
    optimiser = torch.optim.SGD(nets.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(3):
        for batch in seeds.epoch(epoch):
            train_step(method, nets, optimiser, state, batch)
    for k, problem in enumerate(problems):
        net, (u, v) = plain[k], noise[k]
        of_net = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        of_noise = torch.optim.SGD([{"params": u, "lr": 0.5}, {"params": v, "lr": 2.0}])
        for batches in orders(run_of(k), 70, 3):
            for rows in batches:
                total = 0.0
                for i in rows.tolist():
                    logits, label = net(problem.x[i]), int(problem.y[i])
                    given = torch.eye(4, dtype=torch.float64)[label]
                    more = torch.clamp(u[i] ** 2 * given, 0, 1)
                    less = torch.clamp(v[i] ** 2 * (1 - given), 0, 1)
                    p = torch.clamp(torch.softmax(logits, 0) + more - less.detach(), min=1e-4)
                    p = torch.clamp(p / p.abs().sum(), 1e-4, 1.0)
                    hard = torch.eye(4, dtype=torch.float64)[int(logits.argmax())]
                    total = total - torch.log(p[label]) + ((hard + more - less - given) ** 2).sum()
                of_net.zero_grad()
                of_noise.zero_grad()
                (total / len(rows)).backward()
                of_net.step()
                of_noise.step()
        assert_same_member(net, nets, k)
        torch.testing.assert_close(state.u[70 * k : 70 * k + 70], u.detach(), rtol=0, atol=1e-6)
        torch.testing.assert_close(state.v[70 * k : 70 * k + 70], v.detach(), rtol=0, atol=1e-6)
    assert (state.u - start[0]).abs().max() > 0.01  # the noise did move
    assert (state.v - start[1]).abs().max() > 0.01


def test_sop_without_noise_is_cross_entropy_and_a_step_that_does_not_move_the_net(toy, run_of):
    problem = toy(rows=6, batch_size=6)
    seeds = Seeds([problem, problem], [run_of(0), run_of(1)])
    method = SparseOverParameterisation()
    state = method.start(seeds)
    state.u, state.v = (
        torch.zeros(12, 1, dtype=torch.float64),
        torch.zeros(12, 4, dtype=torch.float64),
    )
    logits, y = draw(3, (2, 6, 4))
    logits.requires_grad_()
    loss = method.loss(state, batch_of(y), logits)
    # two entries differ by one where the hard prediction is wrong
    missed = 2.0 * (logits.argmax(-1) != y)
    torch.testing.assert_close(
        loss.detach() - missed, each(lambda p, label: -np.log(p[label]), logits.detach(), y)
    )
    loss.mean(-1).sum().backward()
    method.before_step(state, None, batch_of(y))
    assert (state.u == 0).all()
    assert (state.v == 0).all()
    expected = (logits.detach().softmax(-1) - nn.functional.one_hot(y, 4)) / 6
    torch.testing.assert_close(logits.grad, expected)


# the specification's rule, 10 (300 / epochs) / 5
@pytest.mark.parametrize(
    ("epochs", "batch", "lr_u"), [(60, 128, 10.0), (300, 128, 2.0), (60, 64, 5.0)]
)
def test_sop_scales_its_rates_to_epochs_and_batch(toy, run_of, epochs, batch, lr_u):
    state = SparseOverParameterisation().start(
        Seeds([toy(epochs=epochs, batch_size=batch)], [run_of(0)])
    )
    assert (state.lr_u, state.lr_v) == pytest.approx((lr_u, 10 * lr_u))


def test_sop_starts_from_noise_of_a_hundred_millionth(toy, run_of):
    state = SparseOverParameterisation().start(Seeds([toy(rows=2000)], [run_of(0)]))
    for part in (state.u, state.v):
        assert part.std().item() == pytest.approx(1e-8, rel=0.1)
        assert abs(part.mean().item()) < 1e-9


def test_sop_corrects_to_what_is_left_of_the_label_without_the_noise(toy, run_of):
    problem = toy(rows=3, classes=3)
    problem.y.copy_(torch.tensor([0, 1, 2]))
    seeds = Seeds([problem], [run_of(0)])
    method = SparseOverParameterisation()
    state = method.start(seeds)
    state.u = torch.tensor([[0.1], [0.9], [2.0]])
    # v of the given class does not count
    state.v = torch.tensor([[9.0, 0.1, 0.2], [0.1, 9.0, 0.8], [0.5, 0.3, 9.0]])
    (found,) = method.finish(state, seeds)
    # row 1: .19 of its label, .64 of class 2; row 2: none of its label, .25 of class 0
    assert found["labels"].tolist() == [0, 2, 0]
    torch.testing.assert_close(found["clean_score"], torch.tensor([0.99, 0.19, 0.0]))
