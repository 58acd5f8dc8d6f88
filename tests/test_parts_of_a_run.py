"""Parts of the tests: together they are all, and none runs twice."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import parts
import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture
def suite(tmp_path):
    """A folder with five files of two tests each, half of them slow."""
    (tmp_path / "conftest.py").write_text(
        f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nimport parts\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(parts)\n"
    )
    for name in "abcde":
        marked = "import pytest\n@pytest.mark.slow\ndef test_one(): pass\ndef test_two(): pass\n"
        (tmp_path / f"test_{name}.py").write_text(marked)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: takes longer\n")
    return tmp_path


def chosen(folder, part, *options):
    """The tests that a part has."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--collect-only",
            "-q",
            *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"BENCH_TEST_PART": part},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^(\S+\.py::\S+)$", done.stdout, re.MULTILINE)


def test_the_parts_are_all_tests_each_once_and_a_file_stays_whole(suite):
    found = [chosen(suite, f"{part}/3") for part in (1, 2, 3)]
    assert [len(part) for part in found] == [4, 4, 2]
    assert sorted(itertools.chain(*found)) == sorted(chosen(suite, ""))


def test_files_are_counted_after_markers_have_chosen(suite):
    (suite / "test_a.py").write_text("def test_quick(): pass\n")
    assert chosen(suite, "1/4", "-m", "slow") == ["test_b.py::test_one"]


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", " 1/2"])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="names no part; give one like 2/8"):
        parts.part_of(text)


def test_the_weekly_workflow_runs_every_part_of_the_slow_tests():
    weekly = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text())
    (job,) = weekly["jobs"].values()
    assert job["strategy"]["fail-fast"] is False
    listed = job["strategy"]["matrix"]["part"]
    assert [parts.part_of(part) for part in listed] == [
        (number, len(listed)) for number in range(1, len(listed) + 1)
    ]
    assert 'make test-slow PART="$PART"' in [step.get("run") for step in job["steps"]]
    made = subprocess.run(
        ["make", "--dry-run", "test-slow", "PART=2/8"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "BENCH_TEST_PART=2/8" in made.stdout
