"""Self-distillation against its formula and its limit."""

import contextlib
import math

import pytest
import torch
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.self_distill import SelfDistillation
from noisy_helpers import batch_of, draw, softmax, trained
from torch import nn

from bench.tracks.noisy_labels import Seeds
from bench.training.stack import StackedMLP


def test_a_student_that_ignores_its_teacher_is_cross_entropy_bit_for_bit(toy, run_of):
    problems = [toy(seed) for seed in range(2)]
    mine = trained(SelfDistillation(xi=0.0, clip=1e9), problems, [run_of(0), run_of(1)])
    expected = trained(CrossEntropy(), problems, [run_of(0), run_of(1)])
    assert all(torch.equal(*pair) for pair in zip(mine, expected, strict=True))
    assert not torch.equal(
        trained(SelfDistillation(xi=0.1, clip=1e9), problems, [run_of(0), run_of(1)])[0],
        expected[0],
    )


@pytest.mark.parametrize("xi", [0.0, 0.5, 1.0, 2.0])
def test_the_loss_weighs_teacher_and_label(xi):
    logits, y = draw(1)
    teacher = draw(2)[0].softmax(-1)
    found = SelfDistillation(xi=xi).loss(teacher.flatten(0, 1), batch_of(y), logits)
    for k in range(2):
        for i in range(6):
            p = softmax(logits[k, i].tolist())
            imitation = -sum(float(t) * math.log(q) for t, q in zip(teacher[k, i], p, strict=True))
            assert found[k, i].item() == pytest.approx(
                xi * imitation - (1 - xi) * math.log(p[y[k, i]]), rel=1e-10
            )


def test_the_teacher_is_another_net_trained_on_the_labels_in_another_order(toy, run_of):
    problem = toy(epochs=5)
    seeds = Seeds([problem], [run_of(0)])
    seeds.nets = seeds.build()
    said = SelfDistillation().start(seeds)
    run = run_of(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    with run.seeded("init", 1), torch.no_grad():
        for layer in (net[0], net[2]):
            layer.weight.uniform_(-((6 / layer.in_features) ** 0.5), (6 / layer.in_features) ** 0.5)
            layer.bias.zero_()
    generator = run.torch_generator("order", "teacher")
    optimiser = torch.optim.SGD(net.parameters(), lr=problem.lr, momentum=problem.momentum)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=25)
    for _ in range(5):
        for rows in torch.randperm(70, generator=generator).split(16):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(problem.x[rows]), problem.y[rows]).backward()
            optimiser.step()
            schedule.step()
    torch.testing.assert_close(said, net(problem.x).softmax(-1).detach(), rtol=0, atol=1e-5)


def test_gradients_are_shortened_net_by_net_without_turning_them():
    torch.manual_seed(0)
    nets = StackedMLP((6, 8, 4), [contextlib.nullcontext() for _ in range(3)], torch.device("cpu"))
    for parameter in nets.parameters():
        parameter.grad = torch.randn_like(parameter) * torch.tensor([0.01, 1.0, 100.0]).view(
            -1, *[1] * (parameter.dim() - 1)
        )
    before = [
        torch.cat([parameter.grad[k].flatten() for parameter in nets.parameters()])
        for k in range(3)
    ]
    SelfDistillation(clip=5.0).before_step(None, nets, None)
    after = [
        torch.cat([parameter.grad[k].flatten() for parameter in nets.parameters()])
        for k in range(3)
    ]
    assert torch.equal(before[0], after[0])
    for k in (1, 2):
        assert before[k].norm() > 5
        torch.testing.assert_close(after[k], 5 * before[k] / before[k].norm())
