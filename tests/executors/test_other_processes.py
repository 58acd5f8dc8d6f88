"""Processes that a method forks and that come out of its code, and interrupts that it raises
itself: a record holds what the run gave, and says who ended it.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.runs.record import decode_record

PLUGIN = '''
import os, time
from typing import ClassVar
import torch
from bench import Method, MethodCard
from bench.tracks.noisy_labels import Solution

def constant(name):
    return Solution(model=lambda x: torch.eye(10)[torch.full((len(x),), name)])

class Returns(Method, frozen=True, kw_only=True):
    """Forks a child that answers first."""
    card: ClassVar = MethodCard(name="fork-returns", title="F", track="noisy-labels")

    def solve(self, problem, run):
        if child := os.fork():
            os.waitpid(child, 0)
            return constant(3)
        return constant(4)

class Raises(Method, frozen=True, kw_only=True):
    """Forks a child that fails first."""
    card: ClassVar = MethodCard(name="fork-raises", title="F", track="noisy-labels")

    def solve(self, problem, run):
        if child := os.fork():
            os.waitpid(child, 0)
            return constant(3)
        raise RuntimeError("the child fell")

class Interrupts(Method, frozen=True, kw_only=True):
    """Raises what Ctrl-C raises."""
    card: ClassVar = MethodCard(name="interrupts", title="I", track="noisy-labels")

    def solve(self, problem, run):
        raise KeyboardInterrupt
'''


@pytest.fixture
def run(tmp_path, with_kernels):
    """Return a call that runs methods of the plugin and returns the records by method."""
    (tmp_path / "plugin.py").write_text(PLUGIN)

    def call(methods, executor):
        options = (
            "run --plugins plugin.py --task noisy-digits --variant sym40 --preset smoke --seeds 1 "
            f"--device cpu --jobs 1 --executor {executor}"
        )
        done = subprocess.run(
            [sys.executable, "-m", "bench", *options.split(), "--method", methods],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "BENCH_CACHE": str(with_kernels(tmp_path / "cache"))},
        )
        paths = sorted(tmp_path.glob("results/records/*/[0-9a-f]*.json"))
        return done, {
            record.method: record for record in (decode_record(path.read_bytes()) for path in paths)
        }

    return call


@pytest.mark.parametrize("executor", ["local", "inline"])
def test_what_a_forked_child_returns_or_raises_is_not_the_runs(run, executor):
    done, records = run("fork-returns,fork-raises", executor)
    assert done.returncode == 0, done.stderr
    assert {name: record.status for name, record in records.items()} == {
        "fork-returns": "ok",
        "fork-raises": "ok",
    }
    for record in records.values():
        assert record.cost["solve_cpu_s"] >= 0
    # both parents answer alike, the child of one answered otherwise
    one, other = records.values()
    assert one.metrics == other.metrics


def test_an_interrupt_that_a_method_raises_is_its_failure_and_names_it(run):
    done, records = run("interrupts", "local")
    assert done.returncode == 1, done.stderr
    record = records["interrupts"]
    assert record.status == "failed"
    assert record.error.message == "the method's solve failed: it raised KeyboardInterrupt"
    assert record.data
