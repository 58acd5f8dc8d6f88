"""Helpers of the tests of methods: batches by hand, slow formulas, plain
nets, and every method there is.
"""

import contextlib
import importlib
import math
import pkgutil

import bench.builtin.methods.noisy_labels as home
import torch
from torch import nn

from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds, train_step
from bench.training.stack import StackedMLP


def every_method():
    """Return one of each method of the track, with its defaults."""
    modules = [
        importlib.import_module(f"{home.__name__}.{found.name}")
        for found in pkgutil.iter_modules(home.__path__)
        if found.name[0] != "_"
    ]
    kinds = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, NoisyLabelMethod)
    }
    return sorted(
        (kind() for kind in kinds - {NoisyLabelMethod}), key=lambda method: method.card.name
    )


def problem_for(method, toy, seed=0, **protocol):
    """Return a toy problem of a kind that the method takes.

    Of 71 rows nested-coteaching and ce-early train on 64: with an odd last batch of six inputs,
    where in memory a member lies changes how a product is rounded.
    """
    kind = {
        "rdcr": {"shape": (1, 2, 2)},
        "nested-coteaching": {"rows": 71},
        "ce-early": {"rows": 71},
    }.get(method.card.name, {})
    return toy(seed, **{**kind, **protocol})


def batch_of(y, x=None, epoch=0, rows=None, total=None):
    """Return a batch of K members with the labels y (K, B)."""
    members, size = y.shape
    rows = torch.arange(size).expand(members, -1) if rows is None else rows
    flat = rows + torch.arange(members)[:, None] * (total or size)
    return Batch(0, epoch, rows, flat, torch.zeros(members, size, 1) if x is None else x, y)


def draw(seed=0, shape=(2, 6, 5), scale=1.0):
    """Return float64 logits and labels."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(*shape, generator=generator, dtype=torch.float64)
    return logits, torch.randint(shape[-1], shape[-3:-1], generator=generator)


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def each(function, logits, y):
    """Apply a function of one row of probabilities and its label to every row."""
    return torch.tensor(
        [
            [function(softmax(row), label) for row, label in zip(*pair, strict=True)]
            for pair in zip(logits.tolist(), y.tolist(), strict=True)
        ],
        dtype=torch.float64,
    )


def trained(method, problems, runs):
    """Return each member's outputs on its own inputs after a whole solve."""
    return [
        solution.model(problem.x)
        for solution, problem in zip(method.solve_stacked(problems, runs), problems, strict=True)
    ]


class Plain(nn.Module):
    """A net with the weights of one member of a stack."""

    def __init__(self, stack, k):
        super().__init__()
        layers = []
        for weight, bias in zip(stack.weights, stack.biases, strict=True):
            layer = nn.Linear(weight.shape[2], weight.shape[1], dtype=torch.float64)
            layer.weight.data.copy_(weight[k])
            layer.bias.data.copy_(bias[k, 0])
            layers += [layer, nn.ReLU()]
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, x):
        return self.net(x)


def stepped(method, problems, run_of, epochs):
    """Take the method's steps in float64 and return the stack before and after."""
    seeds = Seeds(problems, [run_of(seed) for seed in range(len(problems))])
    torch.manual_seed(0)
    nets = StackedMLP(
        (6, 8, 4), [contextlib.nullcontext()] * (method.nets * len(problems)), torch.device("cpu")
    ).double()
    start = StackedMLP(
        (6, 8, 4), [contextlib.nullcontext()] * (method.nets * len(problems)), torch.device("cpu")
    ).double()
    start.load_state_dict(nets.state_dict())
    state = method.start(seeds)
    state = state.double() if isinstance(state, torch.Tensor) else state
    optimiser = torch.optim.SGD(nets.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(epochs):
        for batch in seeds.epoch(epoch):
            train_step(method, nets, optimiser, state, batch)
        method.after_epoch(state, epoch)
    return start, nets


def orders(run, rows, epochs):
    generator = run.torch_generator("order")
    return [torch.randperm(rows, generator=generator).split(16) for _ in range(epochs)]


def assert_same_member(net, stack, k):
    for layer, weight, bias in zip(net.net[::2], stack.weights, stack.biases, strict=True):
        torch.testing.assert_close(layer.weight, weight[k], rtol=0, atol=1e-6)
        torch.testing.assert_close(layer.bias, bias[k, 0], rtol=0, atol=1e-6)
