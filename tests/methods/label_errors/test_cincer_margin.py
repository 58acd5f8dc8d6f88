"""The margin of two halves' nets against plain nets trained on the halves by hand."""

import math

import numpy as np
import pytest
import torch
from bench.builtin.methods.label_errors.cincer_margin import CincerMargin, _half
from torch import nn

from bench.runs.context import Run
from bench.tracks.noisy_labels import Problem, Seeds

CPU = torch.device("cpu")


@pytest.fixture
def run_of(tmp_path):
    return lambda: Run(seed=3, task="label-errors/toy", method="x", device=CPU, workdir=tmp_path)


@pytest.fixture
def problem():
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, 70)
    x = generator.standard_normal((70, 6)) + 3 * np.eye(3, 6)[y]
    y[:8] = (y[:8] + 1) % 3
    return Problem(
        x=torch.tensor(x, dtype=torch.float32),
        y=torch.from_numpy(y),
        n_classes=3,
        widths=(8,),
        epochs=6,
        batch_size=16,
        lr=0.1,
    )


def plain(stack):
    """Return a net with the weights of the only member of a stack, in float64."""
    layers = []
    for weight, bias in zip(stack.weights, stack.biases, strict=True):
        layer = nn.Linear(weight.shape[2], weight.shape[1], dtype=torch.float64)
        layer.weight.data.copy_(weight[0])
        layer.bias.data.copy_(bias[0, 0])
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_a_row_is_judged_by_a_net_trained_on_the_other_half(problem, run_of):
    found = CincerMargin().solve(problem, run_of())
    first = _half(problem.y, run_of().numpy_generator("method", "halves"))
    x, expected = problem.x.double(), torch.zeros(70, dtype=torch.float64)
    inits = Seeds([problem], [run_of()])
    for number, half in enumerate((first, ~first)):
        rows = half.nonzero()[:, 0]
        net = plain(inits.build(first=number))
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        order = run_of().torch_generator("order", "half", number)
        steps = math.ceil(len(rows) / 16)
        for epoch in range(6):
            for step, chosen in enumerate(torch.randperm(len(rows), generator=order).split(16)):
                done = (epoch * steps + step) / (6 * steps)
                optimiser.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * done))
                optimiser.zero_grad()
                nn.functional.cross_entropy(
                    net(x[rows[chosen]]), problem.y[rows[chosen]]
                ).backward()
                optimiser.step()
        for i in (~half).nonzero()[:, 0].tolist():
            p = net(x[i]).softmax(0).detach()
            expected[i] = p.max() - p[problem.y[i]]
    torch.testing.assert_close(found.suspicion, expected, rtol=0, atol=1e-4)
    assert torch.equal(found.flags, found.suspicion > 0.25)
    # wrong labels are met by nets that know better
    assert found.flags[:8].sum() >= 6
    assert found.flags[8:].sum() <= 6


def test_both_halves_have_as_many_rows_of_every_class_but_for_one(problem):
    half = _half(problem.y, np.random.default_rng(0))
    for c in range(3):
        counts = [int((problem.y[part] == c).sum()) for part in (half, ~half)]
        assert abs(counts[0] - counts[1]) <= 1
    assert int(half.sum()) == 35
    assert not torch.equal(half, _half(problem.y, np.random.default_rng(1)))


def test_a_higher_threshold_flags_fewer_rows_and_none_at_one(problem, run_of):
    flags = [CincerMargin(threshold=t).solve(problem, run_of()).flags for t in (0.0, 0.5, 1.0)]
    assert flags[0].sum() >= flags[1].sum() > flags[2].sum() == 0
    assert (flags[0] | ~flags[1]).all()
