"""The training step against a plain loop with a DataLoader, and what one default cell takes."""

from __future__ import annotations

import math
import time

import pytest
import torch
from official_loops.pairs import runs
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from bench.tracks.noisy_labels import NoisyLabelMethod, Problem

ROWS, FEATURES, CLASSES, EPOCHS, SEEDS = 1397, 64, 10, 6, 5


@pytest.fixture
def problem():
    """Return a problem of the size of noisy-digits."""
    generator = torch.Generator().manual_seed(0)
    return Problem(
        x=torch.randn(ROWS, FEATURES, generator=generator),
        y=torch.randint(0, CLASSES, (ROWS,), generator=generator),
        n_classes=CLASSES,
        epochs=EPOCHS,
    )


def ours(problem: Problem, workdir) -> float:
    """Return seconds a seed of our loop, all seeds in one pass."""
    made = runs("noisy-labels", SEEDS, workdir)
    start = time.perf_counter()
    NoisyLabelMethod().solve_stacked([problem] * SEEDS, made)
    return (time.perf_counter() - start) / SEEDS


def plain(problem: Problem) -> float:
    """Return seconds of the loop that a tutorial would write: a loader,
    one net, a fused optimiser, no ``.item()``.
    """
    net = nn.Sequential(nn.Linear(FEATURES, 256), nn.ReLU(), nn.Linear(256, CLASSES))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, fused=True)
    loader = DataLoader(
        TensorDataset(problem.x, problem.y), batch_size=128, shuffle=True, num_workers=0
    )
    total, step = EPOCHS * len(loader), 0
    start = time.perf_counter()
    for _ in range(EPOCHS):
        for x, y in loader:
            optimiser.param_groups[0]["lr"] = 0.025 * (1 + math.cos(math.pi * step / total))
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(net(x), y).backward()
            optimiser.step()
            step += 1
    return time.perf_counter() - start


def test_the_training_step_is_at_least_1_7_times_faster_than_a_loader_loop(problem, tmp_path):
    ours(problem, tmp_path)
    plain(problem)
    pairs = [(ours(problem, tmp_path), plain(problem)) for _ in range(5)]
    assert min(second for _, second in pairs) / min(first for first, _ in pairs) >= 1.7


def test_one_default_cell(benchmark, problem, tmp_path):
    seconds = benchmark.pedantic(ours, args=(problem, tmp_path), rounds=3)
    assert seconds > 0
