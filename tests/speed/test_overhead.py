"""What the harness adds to a run: the whole command less the time of the methods."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

RUNS, JOBS = 200, 2
SINGLE = """
from typing import ClassVar
from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod

class Single(NoisyLabelMethod):
    card: ClassVar = MethodCard(name="single", title="ce, one process a seed", track="noisy-labels")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("method", "limit"), [("ce", 0.06), ("single", 0.15)])
def test_two_hundred_runs_cost_little_beyond_the_methods_time(method, limit, tmp_path):
    """Wall time x jobs less the methods' own time, over the runs; the
    server's start is taken off once, and has a limit of its own.
    """
    (tmp_path / "single.py").write_text(SINGLE)
    environment = {
        **os.environ,
        "BENCH_CACHE": str(tmp_path / "cache"),
        "BENCH_PLUGINS": str(tmp_path / "single.py"),
    }
    command = [
        sys.executable,
        "-c",
        "from bench.cli import main; main()",
        "run",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--json",
    ]
    command += [
        "--method",
        method,
        "--task",
        "noisy-digits",
        "--jobs",
        str(JOBS),
        "--results",
        str(tmp_path / "results"),
    ]

    def call(seeds: str) -> tuple[float, float, int]:
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--seeds", seeds],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        wall = time.perf_counter() - start
        records = json.loads(done.stdout)["records"]
        return wall, sum(record["cost"]["solve_s"] for record in records), len(records)

    call("900-900")  # builds the data's cache
    wall, solve, _ = call("901-901")
    start_up = wall - solve
    wall, solve, count = call(f"0-{RUNS - 1}")
    assert count == RUNS
    assert start_up <= 5.0
    assert (JOBS * (wall - start_up) - solve) / RUNS <= limit
