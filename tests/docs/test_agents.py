"""AGENTS.md: short, and every command in it is executed, as it stands and in its order."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_commands import FENCE, SHELL, shown

from bench.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "AGENTS.md"


def test_it_is_short_and_shows_commands_in_blocks_alone():
    text = PAGE.read_text()
    assert len(text.splitlines()) <= 60
    assert {language for language, _ in FENCE.findall(text)} <= set(SHELL)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """An empty folder, in which a reader begins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("reader"))
        yield


@pytest.mark.parametrize("command", shown(PAGE))
def test_a_command_ends_well(command, reader):
    name, *words = shlex.split(command)
    if name == "bench":
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.stderr
        return
    module = [sys.executable, "-m", name, *words]
    done = subprocess.run(module, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_path_that_it_names_is_there():
    import re

    names = re.findall(
        r"`((?:bench|docs|tests|methods|tasks|leaderboard|datasets)/[^`<* ]*)`", PAGE.read_text()
    )
    assert len(names) > 8
    assert [name for name in names if not (ROOT / name).exists()] == []
