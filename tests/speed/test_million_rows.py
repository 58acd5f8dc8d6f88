"""What a million rows hold in memory while five seeds of them are prepared and trained."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.executors.connection import PINNED

MILLION = """
import pathlib, resource, sys
import torch
from bench import Setup
from bench.builtin.tasks.noisy_labels._task import NoisyLabelTask
from bench.training.data import Examples
from bench.runs.context import Run
from bench.tracks.noisy_labels import NoisyLabelMethod

ROWS, FEATURES, SEEDS, CPU = 1_000_000, 64, 5, torch.device("cpu")
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
x = torch.randn(ROWS + 10_000, FEATURES, generator=generator)
y = torch.randint(10, (ROWS + 10_000,), generator=generator)


class Million(NoisyLabelTask):
    def parts(self, run):
        order = torch.from_numpy(run.numpy_generator("split", "test").permutation(len(y)))
        train, test = (Examples(x[rows], y[rows], 10) for rows in order.split(ROWS))
        return train, test


task = Million(epochs=1, batch_size=8192, widths=(8,))
place = {"task": "noisy-labels/million", "method": "noisy-labels/ce", "device": CPU,
    "workdir": pathlib.Path(sys.argv[1])}
problems = [
    task.prepare(Setup(seed=seed, **place)).problems[0] for seed in range(SEEDS)
]
solutions = NoisyLabelMethod().solve_stacked(
    problems, [Run(seed=seed, **place) for seed in range(SEEDS)]
)
assert len(solutions) == SEEDS
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10)
"""


@pytest.mark.slow
def test_a_million_rows_of_five_seeds_are_prepared_and_trained_within_4_gib(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MILLION, str(tmp_path)],
        env={**os.environ, **PINNED},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) <= 4 << 30
