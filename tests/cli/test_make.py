"""The Makefile's targets that run the benchmark give commands that the command line takes."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize(
    ("settings", "device"), [((), "cuda"), (("DEVICE=cpu", "PRESET=smoke"), "cpu")]
)
def test_make_gpu_runs_a_whole_track_on_the_device_named_and_its_cpu_form_is_a_valid_plan(
    bench, settings, device
):
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/.demo", "gpu", "TRACK=noisy-labels", *settings],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    command = next(shlex.split(line) for line in done.stdout.splitlines() if "bench run" in line)
    assert command[command.index("--device") + 1] == device
    arguments = [*command[1:], "--dry-run", "--json"]
    if device == "cpu":
        found = bench(*arguments)
        assert found.code == 0, found.err
        planned = {(row["method"], row["task"]) for row in json.loads(found.out)["cells"]}
        assert {
            ("ce", "noisy-cifar10"),
            ("elr", "noisy-digits"),
            ("coteaching", "noisy-mnist"),
        } <= planned
