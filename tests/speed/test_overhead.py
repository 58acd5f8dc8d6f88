"""What the harness adds to a run: the whole command less the time of the methods."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

RUNS = 50
SINGLE = """
from typing import ClassVar
from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod

class Single(NoisyLabelMethod):
    card: ClassVar = MethodCard(name="single", title="ce, one process a seed", track="noisy-labels")
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ce", "single"])
def test_fifty_runs_cost_at_most_a_tenth_of_a_second_each_beyond_the_methods_time(method, tmp_path):
    (tmp_path / "single.py").write_text(SINGLE)
    environment = {**os.environ, "BENCH_CACHE": str(tmp_path / "cache"), "BENCH_PLUGINS": str(tmp_path / "single.py")}

    def call(seeds: str) -> tuple[float, float, int]:
        command = [
            sys.executable,
            "-c",
            "from bench.cli import main; main()",
            "run",
            "--device",
            "cpu",
            "--preset",
            "smoke",
            "--method",
            method,
            "--task",
            "noisy-digits",
        ]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--seeds", seeds, "--jobs", "1", "--json", "--results", str(tmp_path / "results")],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        wall = time.perf_counter() - start
        records = json.loads(done.stdout)["records"]
        return wall, sum(record["cost"]["solve_s"] for record in records), len(records)

    wall, solve, _ = call("900-900")
    start_up = wall - solve
    wall, solve, count = call(f"0-{RUNS - 1}")
    assert count == RUNS
    assert start_up <= 5.0 + 3.0  # the server's start, and building the data's cache once
    assert (wall - solve - min(start_up, 5.0)) / RUNS <= 0.10
