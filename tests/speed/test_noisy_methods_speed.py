"""The steps of ELR, Co-teaching, SOP and mixup against plain loops: one net, batched tensors, a
loader's batches taken beforehand, no ``.item()``.
"""

from __future__ import annotations

import time

import pytest
import torch
from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
from bench.builtin.methods.noisy_labels.elr import EarlyLearningRegularisation
from bench.builtin.methods.noisy_labels.mixup import Mixup
from bench.builtin.methods.noisy_labels.sop import SparseOverParameterisation
from official_loops.pairs import runs
from torch import nn
from torch.nn import functional as F

from bench.tracks.noisy_labels import Problem, Seeds, sgd, train_step

ROWS, FEATURES, CLASSES, EPOCHS, SEEDS = 1397, 64, 10, 3, 5


@pytest.fixture
def problem():
    """Return a problem of the size of noisy-digits."""
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(ROWS, FEATURES, generator=generator),
        torch.randint(0, CLASSES, (ROWS,), generator=generator),
    )
    return Problem(x=x, y=y, n_classes=CLASSES, epochs=EPOCHS, noise_rate=0.4)


def ours(method, problem, workdir) -> float:
    """Return seconds a seed of our steps, all seeds in one stack; what
    stands before the first step is not counted.
    """
    seeds = Seeds([problem] * SEEDS, runs("noisy-labels", SEEDS, workdir))
    seeds.nets = seeds.build(method.nets)
    state, optimiser = method.start(seeds), sgd(seeds)
    start = time.process_time()
    for epoch in range(EPOCHS):
        for batch in seeds.epoch(epoch):
            train_step(method, seeds.nets, optimiser, state, batch)
        method.after_epoch(state, epoch)
    return (time.process_time() - start) / SEEDS


class Reference:
    """A net, its optimiser, and a step; subclasses say what the loss is."""

    nets = 1

    def __init__(self, problem):
        self.problem = problem
        self.models = [
            nn.Sequential(nn.Linear(FEATURES, 256), nn.ReLU(), nn.Linear(256, CLASSES))
            for _ in range(self.nets)
        ]
        self.optimisers = [
            torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9) for model in self.models
        ]

    def seconds(self) -> float:
        start = time.process_time()
        for epoch in range(EPOCHS):
            for rows in torch.randperm(ROWS).split(128):
                self.step(rows, self.problem.x[rows], self.problem.y[rows], epoch)
        return time.process_time() - start

    def descend(self, *losses):
        for optimiser, loss in zip(self.optimisers, losses, strict=True):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


class PlainELR(Reference):
    def __init__(self, problem):
        super().__init__(problem)
        self.memory = torch.zeros(ROWS, CLASSES)

    def step(self, rows, x, y, epoch):
        logits = self.models[0](x)
        p = torch.clamp(F.softmax(logits, 1), 1e-4, 1 - 1e-4)
        said = p.detach()
        self.memory[rows] = 0.7 * self.memory[rows] + 0.3 * said / said.sum(1, keepdim=True)
        self.descend(
            F.cross_entropy(logits, y) + 3.0 * torch.log(1 - (self.memory[rows] * p).sum(1)).mean()
        )


class PlainCoTeaching(Reference):
    nets = 2

    def step(self, rows, x, y, epoch):
        logits = [model(x) for model in self.models]
        count = int((1 - 0.4 * min(1, epoch / 9)) * len(rows))
        easy = [
            torch.argsort(F.cross_entropy(said.detach(), y, reduction="none"))[:count]
            for said in logits
        ]
        self.descend(
            F.cross_entropy(logits[0][easy[1]], y[easy[1]]),
            F.cross_entropy(logits[1][easy[0]], y[easy[0]]),
        )


class PlainSOP(Reference):
    def __init__(self, problem):
        super().__init__(problem)
        self.u, self.v = (
            nn.Parameter(1e-8 * torch.randn(ROWS, 1)),
            nn.Parameter(1e-8 * torch.randn(ROWS, CLASSES)),
        )
        self.noise = torch.optim.SGD(
            [{"params": self.u, "lr": 10.0}, {"params": self.v, "lr": 100.0}]
        )

    def step(self, rows, x, y, epoch):
        given = F.one_hot(y, CLASSES).float()
        more, less = (
            torch.clamp(self.u[rows] ** 2 * given, 0, 1),
            torch.clamp(self.v[rows] ** 2 * (1 - given), 0, 1),
        )
        logits = self.models[0](x)
        p = torch.clamp(F.softmax(logits, 1) + more - less.detach(), min=1e-4)
        p = torch.clamp(F.normalize(p, p=1, eps=1e-4), 1e-4, 1.0)
        hard = F.one_hot(logits.detach().argmax(1), CLASSES).float()
        loss = -(given * torch.log(p)).sum(1).mean() + F.mse_loss(
            hard + more - less, given, reduction="sum"
        ) / len(rows)
        self.noise.zero_grad()
        self.descend(loss)
        self.noise.step()


class PlainMixup(Reference):
    def step(self, rows, x, y, epoch):
        lam = torch.distributions.Beta(1.0, 1.0).sample()
        partner = torch.randperm(len(rows))
        logits = self.models[0](lam * x + (1 - lam) * x[partner])
        self.descend(
            lam * F.cross_entropy(logits, y) + (1 - lam) * F.cross_entropy(logits, y[partner])
        )


PAIRS = [
    (EarlyLearningRegularisation(), PlainELR),
    (CoTeaching(), PlainCoTeaching),
    (SparseOverParameterisation(), PlainSOP),
    (Mixup(), PlainMixup),
]


LEFT_OUT = ("sop", "mixup")  # of make test: two methods show that the shared loop is quick


@pytest.mark.parametrize(
    ("method", "reference"),
    [
        pytest.param(
            *pair,
            id=pair[0].card.name,
            marks=pytest.mark.slow if pair[0].card.name in LEFT_OUT else (),
        )
        for pair in PAIRS
    ],
)
def test_a_seed_s_steps_are_at_least_1_2_times_faster_than_a_plain_loop(
    method, reference, problem, tmp_path
):
    ours(method, problem, tmp_path)
    reference(problem).seconds()
    pairs = [(ours(method, problem, tmp_path), reference(problem).seconds()) for _ in range(5)]
    ratio = min(plain for _, plain in pairs) / min(mine for mine, _ in pairs)
    assert ratio >= 1.2, f"{ratio:.2f}"


def test_elr_steps(benchmark, problem, tmp_path):
    assert (
        benchmark.pedantic(ours, args=(EarlyLearningRegularisation(), problem, tmp_path), rounds=3)
        > 0
    )
