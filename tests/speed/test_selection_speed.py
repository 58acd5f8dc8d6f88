"""Scores and greedy picks against their plain forms, as ratios of processor time taken in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from bench.builtin.methods.selection.grand import gradient_norms, perceptron_norms
from bench.builtin.methods.selection.k_center import farthest

from bench.training.convnet import Perceptron


def medians(
    steps: Mapping[str, Callable[[], Any]], rounds: int = 5, calls: int = 1
) -> dict[str, float]:
    """Return the median processor time of so many calls of each step, taken in turns after a
    warm-up: half a millisecond alone is at the mercy of what else the core does.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            start = time.process_time()
            for _ in range(calls):
                step()
            if turn:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(found) for name, found in times.items()}


@pytest.mark.parametrize(("columns", "least", "calls"), [(64, 5.0, 10), (784, 20.0, 1)])
def test_grand_of_perceptrons_is_many_times_quicker_than_a_copy_of_the_weights_a_row(
    columns, least, calls
):
    generator = torch.Generator().manual_seed(0)
    net, rows = Perceptron(sizes=(columns, 128, 10)), 128
    params = net.init([generator])
    x, y = torch.randn(rows, columns, generator=generator), torch.arange(rows) % 10
    found = medians(
        {
            "products": lambda: perceptron_norms(params, x, y),
            "copies": lambda: gradient_norms(net, params, x, y),
        },
        calls=calls,
    )
    assert found["copies"] / found["products"] >= least, found


def with_copies(features: torch.Tensor, count: int, best: torch.Tensor) -> torch.Tensor:
    """Greedy k-center where each pick makes a copy of all features."""
    norms, picked = features.square().sum(1), []
    nearest = torch.full_like(norms, torch.inf)
    for _ in range(count):
        picked.append(best)
        nearest = torch.minimum(nearest, norms - 2 * features @ features[best] + norms[best])
        nearest[best] = -torch.inf
        best = nearest.argmax()
    return torch.stack(picked)


@pytest.mark.parametrize(("rows", "columns"), [(1397, 256), (10_000, 128)])
def test_k_center_is_a_third_quicker_where_no_pick_copies_the_features(rows, columns):
    features = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)).relu()
    first = torch.tensor(0)
    found = medians(
        {
            "in place": lambda: farthest(features, 30, first),
            "copies": lambda: with_copies(features, 30, first),
        }
    )
    assert found["copies"] / found["in place"] >= 1.3, found
