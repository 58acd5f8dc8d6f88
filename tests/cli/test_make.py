"""The Makefile's targets that run the benchmark give commands that the command line takes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from bench.cli import main

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


def commands(*goals):
    """Return the commands of bench and Python that make would run, from the verb on."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/.installed", *goals],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    )
    return [shlex.split(line)[1:] for line in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_publish_alone_writes_what_a_release_publishes_with_commands_that_the_command_line_takes():
    *verbs, tables = commands("publish", "RESULTS=mine")
    assert tables == ["docs/tables.py"]
    assert verbs[0][-4:] == ["--by-task", "docs/records", "--results", "mine"]
    assert verbs[-1][-2:] == ["--out", "leaderboard/published"]
    for words in (*verbs, *commands("board", "RESULTS=mine")):
        command, context = main, click.Context(main)
        while isinstance(command, click.Group):
            command, words = command.get_command(context, words[0]), words[1:]
        command.make_context("bench", words, parent=context)
    others = [*(ROOT / ".github").rglob("*.yml"), *(ROOT / ".ci").iterdir()]
    assert not any("leaderboard/published" in path.read_text() for path in others)
    assert "leaderboard/published" not in str(commands("board"))
