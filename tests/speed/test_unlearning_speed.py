"""Shadow models of the unlearning track, together against one by one."""

from __future__ import annotations

import statistics
import time

import pytest
import torch
from bench.builtin.tasks.unlearning import _models

from bench.training import tuned

CPU = torch.device("cpu")
SHAPES = {
    "digits": {"members": 8, "inputs": 64, "width": 64, "batch": 32},
    "mnist": {"members": 8, "inputs": 784, "width": 128, "batch": 64},
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seconds(shape, rounds=5, steps=30):
    """Return the median seconds of ``steps`` steps for each way, measured in turns."""
    ways = {way: _models._prepare(way, CPU, **shape) for way in ("stacked", "serial")}
    found = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, run in ways.items():
            start = time.process_time()
            for _ in range(steps):
                run()
            found[way].append(time.process_time() - start)
    return {way: statistics.median(times[1:]) for way, times in found.items()}


def test_eight_models_of_the_digits_net_train_at_least_twice_as_fast_together():
    found = seconds(SHAPES["digits"])
    assert found["serial"] / found["stacked"] >= 2


@pytest.mark.parametrize("name", SHAPES)
def test_the_tuned_choice_is_at_most_15_percent_slower_than_the_better_way(name):
    found = seconds(SHAPES[name])
    assert found[tuned.choice(_models.NAME, CPU, **SHAPES[name])] <= 1.15 * min(found.values())
