"""The example packages, from their wheels in a fresh environment beside the project's."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from bench.scaffold.templates import PLUGIN, filled

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TRACKS = {"sce": "noisy-labels", "experimental-design": "experimental-design"}


@pytest.fixture(scope="module")
def call(fresh, wheels):
    """A shell in an environment that has the project and both examples."""
    return fresh("datacentric-bench", *TRACKS, wheels=wheels)


@pytest.mark.parametrize("name", TRACKS)
def test_an_example_has_the_shape_that_the_scaffold_writes(name):
    module = name.replace("-", "_")
    fill = {"name": name, "module": module, "kind": "", "track": TRACKS[name]}
    written = {filled(path, fill): filled(text, fill) for path, text in PLUGIN.items()}
    assert [path for path in written if not (EXAMPLES / name / path).is_file()] == []
    workflow = ".github/workflows/ci.yml"
    assert (EXAMPLES / name / workflow).read_text() == written[workflow]
    mine, theirs = (
        tomllib.loads(text)
        for text in ((EXAMPLES / name / "pyproject.toml").read_text(), written["pyproject.toml"])
    )
    theirs["project"]["description"] = mine["project"]["description"]
    assert mine == theirs


def test_nothing_of_the_checkout_is_imported(call):
    where = call(
        "python -c 'import bench, bench.builtin, sce; print(bench.__file__, "
        "*bench.builtin.__path__, sce.__file__)'"
    ).split()
    assert all(str(call.home.parent) in path for path in where)


def test_what_the_wheels_bring_is_listed_under_their_names(call):
    listed = json.loads(call("bench list --json"))
    assert listed["broken"] == []
    found = {
        "/".join(filter(None, (row.get("track"), row["name"]))): row["source"]
        for kind in ("methods", "tasks", "datasets")
        for row in listed[kind]
    }
    assert found["noisy-labels/sce"] == "sce 0.1.0"
    track = next(row for row in listed["tracks"] if row["name"] == "experimental-design")
    assert (track["title"], track["field"], track["source"]) == (
        "Experimental design",
        "few labels",
        "experimental-design 0.1.0",
    )
    assert track["about"] in call("bench list tracks")
    mine = {
        "experimental-design/random",
        "experimental-design/ted",
        "experimental-design/max-variance",
        "experimental-design/label-cars",
        "auto-mpg",
    }
    assert {
        identity for identity, source in found.items() if source == "experimental-design 0.1.0"
    } == mine


def test_they_run_stand_on_a_board_and_are_found_there_again(call):
    asked = (
        "bench run --method ce,sce,'experimental-design/*' --task noisy-digits,label-cars "
        "--preset smoke --seeds 2 --device cpu --executor inline"
    )
    call(f"{asked} --quiet")
    board = json.loads(call("bench leaderboard --preset smoke --json"))
    assert {row["method"] for table in board["tables"] for row in table["rows"]} == {
        "ce",
        "sce",
        "random",
        "ted",
        "max-variance",
    }
    again = json.loads(call(f"{asked} --dry-run --json"))
    assert {(row["recorded"], row["to_run"]) for row in again["cells"]} == {(2, 0)}


@pytest.mark.slow
def test_a_track_of_its_own_passes_the_whole_suite(call):
    reports = json.loads(call("bench check 'experimental-design/*' --device cpu --json"))["reports"]
    assert [report["name"].rpartition("/")[2] for report in reports] == [
        "max-variance",
        "random",
        "ted",
        "label-cars",
    ]
    assert "fresh-process" in {finding["rule"] for finding in reports[0]["findings"]}


def test_a_check_in_the_quick_form_says_that_the_method_passes(call):
    assert call("bench check sce --quick --device cpu").startswith(
        "## method noisy-labels/sce: passes"
    )


def test_a_name_that_no_wheel_brings_is_a_usage_error(call):
    call("bench check sec", code=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRACKS)
def test_their_own_tests_pass(name, call):
    assert " passed" in call(
        f"cp -r {EXAMPLES / name}/tests {name}-tests && env -u PIP_QUIET pytest -q -p "
        f"no:cacheprovider -W error {name}-tests"
    )


def test_a_suite_that_does_not_use_the_fixture_imports_no_library_of_ours(call):
    (call.home / "test_plain.py").write_text(
        "import sys\n\n\ndef test_it():\n    assert not {'torch', 'numpy', 'msgspec', "
        "'bench.conformance'} & set(sys.modules)\n"
    )
    assert "1 passed" in call("pytest -q -p no:cacheprovider test_plain.py")


def test_a_method_with_a_defect_fails_the_test_of_its_package_with_the_report(call):
    (call.home / "bad.py").write_text(
        "from typing import ClassVar\nfrom bench import Method, MethodCard\n\n\nclass "
        "Bad(Method):\n    card: ClassVar = MethodCard("
        'name="bad", title="", track="experimental-design")\n\n    def solve(self, problem, '
        'run):\n        raise ValueError("no")\n'
    )
    (call.home / "test_bad.py").write_text(
        "def test_it(bench_check):\n    bench_check('bad.py', quick=True, device='cpu')\n"
    )
    said = call("pytest -q -p no:cacheprovider test_bad.py", code=1)
    assert "## method experimental-design/bad: fails" in said
    assert "| card " in said
    assert "trials.py" not in said
