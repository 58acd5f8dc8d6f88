"""Wheel and source distribution: what is in them, how large they are, and that the wheel works where
nothing else of the project is.

``BENCH_TEST_DIST`` names a folder with both; without it they are built.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 5_000_000
"""Bytes that either may have."""
COMMAND = "bench run --method elr,ce --task noisy-digits --seeds 3 --device cpu --json"


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with the wheel and the source distribution; the wheel is built from the latter."""
    if folder := os.environ.get("BENCH_TEST_DIST"):
        return ROOT / folder
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def contents(dist) -> dict[str, set[str]]:
    """Kind of distribution -> the paths in it."""
    (wheel,), (source,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as opened:
        in_wheel = set(opened.namelist())
    with tarfile.open(source) as opened:
        names = [member.name for member in opened.getmembers() if member.isfile()]
    return {"wheel": in_wheel, "source": {name.partition("/")[2] for name in names}}


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_neither_is_larger_than_five_megabytes(dist, pattern):
    (file,) = dist.glob(pattern)
    assert file.stat().st_size <= LARGEST


def test_the_source_has_what_builds_and_explains_it_and_nothing_that_was_measured(contents):
    found = contents["source"]
    assert {"pyproject.toml", "hatch_build.py", "README.md", "CHANGELOG.md", "LICENSE"} <= found
    assert {"bench/__init__.py", "methods/noisy_labels/elr.py", "docs/index.md"} <= found
    measured = ("docs/records/", "leaderboard/published/", "results/", "build/")
    assert [name for name in found if name.startswith(measured)] == []


def test_the_wheel_has_every_module_of_package_and_rooms_and_no_test(contents):
    found = contents["wheel"]
    tracked = subprocess.run(
        ["git", "ls-files", "bench", "methods", "tasks", "datasets", "leaderboard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    modules = {
        name if name.startswith("bench/") else f"bench/builtin/{name}"
        for name in tracked
        if (ROOT / name).is_file() and not name.startswith("leaderboard/published/")
    }
    builtin = {name for name in modules if (ROOT / name).is_symlink()}  # how a checkout sees rooms
    assert modules - builtin - found == set()
    assert "bench/py.typed" in found
    assert [name for name in found if name.startswith(("tests/", "docs/"))] == []


def offline(call) -> str:
    """Return what begins a command that has no network: its own, where the system allows that."""
    try:
        call("unshare --map-root-user --net true")
    except AssertionError:
        return "env HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 "
    return "unshare --map-root-user --net "


@pytest.mark.slow
def test_the_wheel_runs_two_methods_from_an_empty_folder_without_a_network(fresh, dist):
    call = fresh("datacentric-bench", wheels=dist)
    assert list(call.home.iterdir()) == []
    found = json.loads(call(offline(call) + COMMAND))
    assert {record["status"] for record in found["records"]} == {"ok"}
    assert {record["method"] for record in found["records"]} == {"elr", "ce"}
    assert call("bench compare elr ce").count("noisy-digits") > 0
    where = call("python -c 'import bench; print(bench.__file__)'")
    assert str(call.home.parent) in where


@pytest.mark.slow
@pytest.mark.network
def test_the_wheel_and_its_requirements_are_enough_in_an_empty_environment(dist, tmp_path):
    """Everything is installed anew: some minutes, and 1 GB. Where torch comes from is pip's setting."""
    (wheel,) = dist.glob("*.whl")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BENCH_", "PYTHON", "VIRTUAL_ENV", "PYTEST_"))
    }
    environment |= {"HOME": str(tmp_path), "BENCH_CACHE": str(tmp_path / "cache")}
    python = tmp_path / "env" / "bin" / "python"
    (tmp_path / "empty").mkdir()

    def call(*command: str) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path / "empty",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call(sys.executable, "-m", "venv", str(python.parents[1]))
    pip = (str(python), "-m", "pip", "--quiet", "install", "-c", str(ROOT / "constraints.txt"))
    call(*pip, "torch")
    call(*pip, str(wheel))
    found = json.loads(call(str(python.parent / "bench"), *COMMAND.split()[1:]))
    assert {record["status"] for record in found["records"]} == {"ok"}
