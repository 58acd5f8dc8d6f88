"""SOP+ against its formula, and against SOP where its own terms are off."""

import contextlib

import pytest
import torch
from bench.builtin.methods.noisy_labels.sop import SparseOverParameterisation
from bench.builtin.methods.noisy_labels.sop_plus import SparseOverParameterisationPlus
from noisy_helpers import Plain, assert_same_member, orders, trained
from torch import nn

from bench.tracks.noisy_labels import Seeds, train_step
from bench.training.stack import StackedMLP


def test_sop_plus_trains_net_and_noise_as_a_plain_loop_over_examples_does(toy, run_of):
    """The losses are written out row by row, as model/loss.py of shengliu66/SOP has them."""
    problems = [toy(seed, dtype=torch.float64) for seed in range(2)]
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    method = SparseOverParameterisationPlus(
        lr_u=0.5, lr_v=2.0, consistency=0.7, balance=0.4, noise=0.5
    )
    torch.manual_seed(1)
    nets = StackedMLP(
        (6, 8, 4), [contextlib.nullcontext() for _ in range(2)], torch.device("cpu")
    ).double()
    state = method.start(seeds)
    state.u, state.v = (
        0.6 * torch.randn(140, 1, dtype=torch.float64),
        0.6 * torch.randn(140, 4, dtype=torch.float64),
    )
    plain = [Plain(nets, k) for k in range(2)]
    noise = [
        [nn.Parameter(part[70 * k : 70 * k + 70].clone()) for part in (state.u, state.v)]
        for k in range(2)
    ]
    optimiser = torch.optim.SGD(nets.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(3):
        for batch in seeds.epoch(epoch):
            train_step(method, nets, optimiser, state, batch)
        method.after_epoch(state, epoch)
    for k, problem in enumerate(problems):
        net, (u, v) = plain[k], noise[k]
        looks = run_of(k).torch_generator("method", "views")
        of_net = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        of_noise = torch.optim.SGD([{"params": u, "lr": 0.5}, {"params": v, "lr": 2.0}])
        for batches in orders(run_of(k), 70, 3):
            for rows in batches:
                second = problem.x[rows] + 0.5 * torch.randn(
                    len(rows), 6, generator=looks, dtype=torch.float64
                )
                total, said = 0.0, []
                for i, other in zip(rows.tolist(), second, strict=True):
                    logits, label = net(problem.x[i]), int(problem.y[i])
                    given = torch.eye(4, dtype=torch.float64)[label]
                    more = torch.clamp(u[i] ** 2 * given, 0, 1)
                    less = torch.clamp(v[i] ** 2 * (1 - given), 0, 1)
                    p = torch.clamp(torch.softmax(logits, 0) + more - less.detach(), min=1e-4)
                    said.append(torch.clamp(p / p.abs().sum(), 1e-4, 1.0))
                    hard = torch.eye(4, dtype=torch.float64)[int(logits.argmax())]
                    total = total - torch.log(said[-1][label])
                    total = total + ((hard + more - less - given) ** 2).sum()
                    total = total + 0.7 * nn.functional.kl_div(
                        net(other).log_softmax(0), logits.detach().softmax(0), reduction="sum"
                    )
                mean = torch.stack(said).mean(0)
                loss = total / len(rows) - 0.4 * sum(torch.log(share) for share in mean) / 4
                of_net.zero_grad()
                of_noise.zero_grad()
                loss.backward()
                of_net.step()
                of_noise.step()
        assert_same_member(net, nets, k)
        torch.testing.assert_close(state.u[70 * k : 70 * k + 70], u.detach(), rtol=0, atol=1e-6)
        torch.testing.assert_close(state.v[70 * k : 70 * k + 70], v.detach(), rtol=0, atol=1e-6)


def test_sop_plus_without_its_own_terms_is_sop(toy, run_of):
    problems = [toy(seed) for seed in range(2)]
    off = SparseOverParameterisationPlus(consistency=0.0, balance=0.0)
    mine = trained(off, problems, [run_of(0), run_of(1)])
    theirs = trained(SparseOverParameterisation(), problems, [run_of(0), run_of(1)])
    for own, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 2, 3)])
def test_a_second_look_at_a_picture_is_shifted_apart_from_the_first(toy, run_of, shape):
    problem = toy(shape=shape, crop=1, flip=True)
    seeds = Seeds([problem, problem], [run_of(0), run_of(1)])
    state = SparseOverParameterisationPlus(noise=0.0).start(seeds)
    batch = next(seeds.epoch(0))
    second = state.views(batch)
    assert second.shape == batch.x.shape
    assert not torch.equal(second, batch.x)
    assert torch.equal(second, state.views(batch))
    state.views.draw()
    assert not torch.equal(second, state.views(batch))
