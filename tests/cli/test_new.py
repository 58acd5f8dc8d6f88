"""``bench new``: what it writes runs, and passes the conformance suite, as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.conformance import check
from bench.plugins.registry import Registry
from bench.scaffold import low_of, method_text


@pytest.mark.parametrize("track", Registry().tracks())
def test_a_new_method_of_every_track_is_registered_under_its_name_and_without_another_ones_paper(
    track, bench
):
    done = bench("new", "method", "my-way", "--track", track)
    assert done.code == 0, done.err
    (entry,) = [entry for entry in Registry(["my_way.py"]).rows("method") if entry.name == "my-way"]
    assert entry.track == track
    assert (entry.card.paper, entry.card.bibtex, entry.card.claim) == ("", "", "")
    assert entry.params.keys() == low_of(Registry(), track).params.keys()


@pytest.mark.parametrize(
    "arguments", [("--track", "noisy-labels"), ("--like", "elr"), ("--track", "selection")]
)
def test_a_new_method_passes_the_suite_as_it_is(arguments, bench):
    assert bench("new", "method", "my-way", *arguments).code == 0
    reports = check("my_way.py", device="cpu", quick=True)
    assert [report.failed() for report in reports] == [[]] * len(reports) != []


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("method", "x", "--track", "noisy-labels"), "bench check 'a b;c/x.py'"),
        (("method", "x", "--track", "noisy-labels"), "bench run --plugins 'a b;c/x.py'"),
        (("dataset", "x"), "bench check 'a b;c/x.py'"),
        (("plugin", "x", "--track", "noisy-labels"), "pip install -e 'a b;c'"),
    ],
)
def test_the_commands_that_come_next_can_be_pasted_whatever_the_folder_is_called(
    arguments, command, bench
):
    assert command in bench("new", *arguments, "--out", "a b;c").err


def test_it_does_what_the_method_does_that_it_starts_from():
    text = method_text("my-way", Registry().one("method", "noisy-labels/elr"), "noisy-labels")
    assert "class MyWay(" in text
    assert "EarlyLearning" not in text
    assert "lam: " in text


@pytest.mark.parametrize(
    ("arguments", "tracks"),
    [
        (("--like", "elr"), {"noisy-labels", "label-errors"}),
        (("--like", "el2n"), {"selection", "condensation"}),
        (("--like", "label-errors/elr"), {"label-errors"}),
        (("--like", "elr", "--track", "label-errors"), {"label-errors"}),
        (("--like", "graph-ood/erm"), {"graph-ood"}),
    ],
)
def test_a_method_serves_the_tracks_of_the_one_that_it_starts_from(arguments, tracks, bench):
    assert bench("new", "method", "my-way", *arguments).code == 0
    found = [entry for entry in Registry(["my_way.py"]).rows("method") if entry.name == "my-way"]
    assert {entry.track for entry in found} == tracks


def test_a_package_of_a_method_of_several_tracks_is_checked_in_the_one_of_its_folder(bench):
    assert bench("new", "plugin", "my-way", "--like", "el2n").code == 0
    (test,) = Path("my-way/tests").glob("test_*.py")
    assert 'bench_check("selection/my-way"' in test.read_text()


def test_a_method_is_packed_under_its_own_name_as_it_is():
    elr = Registry().one("method", "noisy-labels/elr")
    assert method_text("elr", elr, "noisy-labels") == Path(elr.target.path).read_text()


def test_a_new_task_and_a_new_data_set_pass_the_suite_as_they_are(bench):
    assert bench("new", "task", "my-task").code == bench("new", "dataset", "my-data").code == 0
    reports = [*check("my_task.py", device="cpu", quick=True), *check("my_data.py", device="cpu")]
    assert [(report.kind, report.name) for report in reports] == [
        ("method", "my-task/my-task-ridge"),
        ("method", "my-task/my-task-zero"),
        ("task", "my-task/my-task"),
        ("dataset", "my-data"),
    ]
    assert [report.failed() for report in reports] == [[], [], [], []]


@pytest.mark.parametrize("arguments", [("my-task", "--track", "noisy-labels"), ("noisy-labels",)])
def test_a_new_task_does_not_join_a_track_that_has_tasks(arguments, bench):
    found = bench("new", "task", *arguments)
    assert found.code == 2
    assert "the track 'noisy-labels' has a problem and methods of its own already" in found.err
    assert not list(Path().glob("*.py"))


@pytest.mark.slow
def test_a_name_that_is_taken_is_refused_where_it_could_not_be_run(bench, tmp_path):
    for arguments in (
        ("method", "elr", "--track", "noisy-labels"),
        ("method", "elr", "--like", "ce"),
        ("dataset", "digits"),
    ):
        done = bench("new", *arguments)
        assert done.code == 2
        assert f"already, of builtin; give another name, like 'my-{arguments[1]}'." in done.err
        assert not list(tmp_path.glob("*.py"))
    assert bench("new", "method", "elr", "--track", "graph-ood").code == 0


def test_what_runs_next_is_the_new_method_alone(bench):
    assert " --method s --preset" in bench("new", "method", "s", "--track", "noisy-labels").err


def test_a_new_plugin_is_a_package_whose_wheel_installs_runs_and_passes_its_own_test(
    bench, tmp_path
):
    assert bench("new", "plugin", "my-way", "--track", "noisy-labels").code == 0
    folder, site = tmp_path / "my-way", tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]

    def run(*command: str, **environment: str) -> str:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(
        *pip,
        "wheel",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path / "wheels"),
        str(folder),
    )
    (wheel,) = (tmp_path / "wheels").glob("my_way-0.1.0-*.whl")
    run(*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    assert "my-way" in run(
        sys.executable,
        "-c",
        "from bench.cli import main; main()",
        "list",
        "methods",
        "--track",
        "noisy-labels",
        PYTHONPATH=str(site),
    )
    run(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests",
        PYTHONPATH=str(site),
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("method", "My_Way", "--track", "noisy-labels"), "plugin name 'My_Way' is not kebab-case"),
        (("method", "2way", "--track", "noisy-labels"), "begins with a digit"),
        (("method", "my-way"), "say which track my-way is for"),
        (("method", "my-way", "--track", "noisy"), "unknown track 'noisy'"),
        (("method", "my-way", "--like", "elrr"), "unknown method 'elrr'. Did you mean 'elr'"),
        (
            ("method", "my-way", "--like", "elr", "--track", "graph-ood"),
            "elr is a method of label-errors and noisy-labels, not of graph-ood, so a copy of it "
            "could not run there. Of graph-ood give one of these with --like: coral, ",
        ),
        (
            ("plugin", "my-way", "--like", "elr", "--track", "graph-odd"),
            "unknown track 'graph-odd'. Did you mean 'graph-ood'",
        ),
        (
            ("method", "my-way", "--like", "oodgnn"),
            "graph-ood/oodgnn imports files beside its own, so it can't be copied by itself. Of "
            "graph-ood give one of these with --like: coral, ",
        ),
    ],
)
def test_what_can_t_be_written_is_said_in_a_sentence(arguments, said, bench):
    done = bench("new", *arguments)
    assert done.code == 2
    assert said in done.err
    assert list(Path().iterdir()) == []


def test_what_is_there_is_not_written_over(bench):
    Path("my_way.py").write_text("mine")
    done = bench("new", "method", "my-way", "--track", "noisy-labels")
    assert (done.code, Path("my_way.py").read_text()) == (2, "mine")
    assert "my_way.py is there already" in done.err
