"""The budgets of the suite itself: a folder that takes too long fails a
run, wherever its tests ran and however busy the machine is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import budgets
import pytest

CONFTEST = """
import sys
sys.path.insert(0, {home!r})
import budgets

def pytest_configure(config):
    budgets.BUDGETS = {table}
    budgets.register(config)
"""
TESTS = """
import subprocess, sys, time
import pytest

def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

@pytest.fixture(scope="module")
def costly():
    burn(0.1)

def test_of_a_fixture(costly):
    pass

def test_of_a_child():
    subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.1: pass"], check=True)

def test_that_waits():
    time.sleep(0.3)

@pytest.mark.slow
def test_that_is_slow():
    burn(0.4)
"""


def run(folder: Path, table: dict[str, float], *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(
        CONFTEST.format(home=str(Path(budgets.__file__).parent), table=table)
    )
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow: long\n")
    for name in ("one", "two"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / f"test_{name}.py").write_text(TESTS)
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "one", "two"]
    on = {name: value for name, value in os.environ.items() if name != "BENCH_TEST_BUDGETS"}
    return subprocess.run(call, cwd=folder, env=on, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "options", [(), ("-n", "2", "--dist", "loadfile")], ids=["one process", "two workers"]
)
def test_a_folder_beyond_its_budget_fails_the_run_and_says_so_with_what_workers_spent_added_up(
    tmp_path, options
):
    done = run(tmp_path, {"one": 0.05, "two": 60.0}, *options)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "8 passed" in done.stdout
    said = [line for line in done.stdout.splitlines() if "its budget is" in line]
    assert len(said) == 1
    assert re.match(
        r"one took [\d.]+ s of processor time, its budget is 0\.05 s: share fixtures", said[0]
    )
    assert 0.6 * 0.1 < float(said[0].split()[2]) < 30


def test_within_the_budgets_a_run_passes_whatever_waits_or_is_slow(tmp_path):
    done = run(tmp_path, {"one": 20.0, "two": 20.0})
    assert (done.returncode, "its budget is" in done.stdout) == (0, False), (
        done.stdout + done.stderr
    )


def test_a_test_counts_for_the_longest_entry_and_what_no_entry_names_has_no_budget():
    found = budgets.Budgets({"tests/a": 5.0, "tests/a/b": 1.0, "tests/c.py": 2.0})
    for name, cost in {
        "tests/a/x.py::t": 3.0,
        "tests/a/b/y.py::t[1]": 0.5,
        "tests/ab/z.py::t": 4.0,
        "tests/c.py::t": 1.0,
    }.items():
        found.pytest_runtest_logreport(type("Report", (), {"nodeid": name, "cost": cost}))
        found.pytest_runtest_logreport(type("Report", (), {"nodeid": name, "cost": 0.25}))
    assert found.folders() == {
        "tests/a": 3.25,
        "tests/a/b": 0.75,
        "tests/ab/z.py": 4.25,
        "tests/c.py": 1.25,
    }
    assert [said.split(" took")[0] for said in found.exceeded()] == ["tests/ab/z.py"]


def test_every_folder_and_file_of_tests_has_a_budget_and_every_budget_tests():
    root = budgets.ROOT
    assert [name for name in budgets.BUDGETS if not (root / name).exists()] == []
    files = [str(path.relative_to(root)) for path in (root / "tests").rglob("test_*.py")]
    assert [
        name
        for name in files
        if not any(name == entry or name.startswith(f"{entry}/") for entry in budgets.BUDGETS)
    ] == []
    assert sum(budgets.BUDGETS.values()) <= budgets.WHOLE
