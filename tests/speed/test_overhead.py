"""What the harness adds to a run, in processor seconds of the command and all that it starts:
methods that return at once, a hundred and one runs less one run.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 100
LIMITS = {"single": 0.06, "stacked": 0.06}
"""Processor seconds of a run, beside those of its method: a process, loading, checks, evaluation
with its pictures, record. A process of its own is a third of it.
"""
START = 3.2
"""Processor seconds of a command with one run, of which importing torch is most."""
METHODS = '''
from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod
from bench.training.supervised import Solution


class Zeros(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, x):
        return x.new_zeros((len(x), self.classes))


class Single(NoisyLabelMethod):
    """Gives nought for every class."""

    card: ClassVar = MethodCard(name="single", title="Nothing, seed by seed", track="noisy-labels")

    def solve(self, problem, run):
        return Solution(model=Zeros(problem.n_classes))


class Stacked(NoisyLabelMethod):
    """Gives nought for every class."""

    card: ClassVar = MethodCard(
        name="stacked", title="Nothing, at once", track="noisy-labels", stacked=True
    )

    def solve(self, problem, run):
        return Solution(model=Zeros(problem.n_classes))

    def solve_stacked(self, problems, runs):
        return [self.solve(*each) for each in zip(problems, runs)]
'''


@pytest.fixture(scope="module")
def spent(tmp_path_factory):
    """Run a method on seeds and return the processor seconds of the command, user's and system's,
    with all the processes that it waited for.
    """
    folder: Path = tmp_path_factory.mktemp("overhead")
    (folder / "empty.py").write_text(METHODS)
    environment = {**os.environ, "BENCH_CACHE": str(folder / "cache")}
    words = "run --device cpu --preset smoke --task noisy-digits --jobs 1 --no-flops --json"
    command = [sys.executable, "-c", "from bench.cli import main; main()", *words.split()]
    command += ["--plugins", str(folder / "empty.py"), "--results", str(folder / "results")]

    def call(method: str, seeds: str, count: int) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*command, "--method", method, "--seeds", seeds],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        records = json.loads(done.stdout)["records"]
        assert [record["status"] for record in records] == ["ok"] * count
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    call("single", "900-900", 1)  # compiles, scans the plugins, reads the dataset
    return call


@pytest.mark.slow
@pytest.mark.parametrize(("method", "limit"), LIMITS.items())
def test_a_run_costs_little_beyond_its_method(method, limit, spent):
    """The times of a loaded machine differ by a quarter; the best of three is what it takes."""
    measured = []
    for turn in range(3):
        one = spent(method, f"{1000 + turn}-{1000 + turn}", 1)
        many = spent(method, f"{turn * 200}-{turn * 200 + RUNS}", RUNS + 1)
        measured.append((many - one) / RUNS)
        if measured[-1] <= limit:
            break
    print(f"{method}: {', '.join(f'{each:.4f}' for each in measured)} s a run")
    assert min(measured) <= limit


@pytest.mark.slow
def test_the_start_of_a_command_that_runs_something_takes_little_of_the_processor(spent):
    measured = [spent("single", f"{2000 + turn}-{2000 + turn}", 1) for turn in range(3)]
    print(", ".join(f"{each:.2f}" for each in measured), "s a command of one run")
    assert min(measured) <= START
