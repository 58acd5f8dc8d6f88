"""Artifacts under several processes: built once, never half, nothing left
by a builder that was killed.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from bench.errors import BenchWarning
from bench.runs.artifacts import Artifacts

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)


def fork(work) -> int:
    """Run ``work`` in a forked process and return its number."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def builder(folder: Path, seconds: float = 0.0, fill: float = 1.0):
    """Return a function that asks for one artifact, noting that it builds it."""

    def build():
        with (folder / "built.txt").open("a") as file:
            file.write("built\n")
        time.sleep(seconds)
        return {"x": torch.full((4,), fill)}

    return lambda: Artifacts(folder).get({"what": "it"}, {}, build, "cpu")


def built(folder: Path) -> int:
    return len((folder / "built.txt").read_text().split()) if (folder / "built.txt").exists() else 0


def wait_until(condition) -> None:
    patience = time.monotonic() + 20
    while not condition() and time.monotonic() < patience:
        time.sleep(0.01)
    assert condition()


def left(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in (folder / "artifacts").iterdir()
        if path.name.startswith(".") or path.suffix == ".lock"
    )


def test_several_processes_that_want_one_artifact_build_it_once(tmp_path):
    pids = [fork(builder(tmp_path, 0.3)) for _ in range(4)]
    for pid in pids:
        os.waitpid(pid, 0)
    assert built(tmp_path) == 1
    assert builder(tmp_path)()[0]["x"].tolist() == [1.0] * 4
    assert left(tmp_path) == []


def test_a_builder_that_is_killed_leaves_nothing_half_made_and_whoever_waits_builds_it(tmp_path):
    killed = fork(builder(tmp_path, 60.0))
    wait_until(lambda: built(tmp_path) == 1)
    waiting = fork(builder(tmp_path, 0.0, fill=2.0))
    time.sleep(0.1)
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    os.waitpid(waiting, 0)
    assert built(tmp_path) == 2
    assert builder(tmp_path)()[0]["x"].tolist() == [2.0] * 4
    assert left(tmp_path) == []


def test_a_build_that_was_cut_off_while_it_was_written_is_swept_and_one_at_work_is_not(tmp_path):
    artifacts = Artifacts(tmp_path)
    artifacts.folder.mkdir()
    (artifacts.folder / ".building-dead-xyz").mkdir()
    (artifacts.folder / "dead.lock").touch()
    working = fork(builder(tmp_path, 60.0))
    wait_until(lambda: built(tmp_path) == 1)
    lock = next(path for path in artifacts.folder.glob("*.lock") if path.stem != "dead")
    (artifacts.folder / f".building-{lock.stem}-abc").mkdir()
    artifacts.sweep()
    assert left(tmp_path) == sorted([lock.name, f".building-{lock.stem}-abc"])
    os.kill(working, signal.SIGKILL)
    os.waitpid(working, 0)
    artifacts.sweep()
    assert left(tmp_path) == []


def test_a_builder_that_raises_leaves_nothing_and_the_next_one_builds(tmp_path):
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Artifacts(tmp_path).get({"what": "it"}, {}, fail, "cpu")
    assert left(tmp_path) == []
    assert builder(tmp_path)()[0]["x"].tolist() == [1.0] * 4


@pytest.mark.parametrize("moment", ["the lock", "the tensors", "the page"])
def test_an_artifact_that_cannot_be_kept_is_built_and_used(tmp_path, monkeypatch, moment):
    asks = builder(tmp_path, fill=3.0)
    if moment == "the lock":
        (tmp_path / "artifacts").write_text("a file")
    else:

        def full(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(
            "bench.runs.artifacts.tempfile.mkdtemp"
            if moment == "the tensors"
            else "bench.runs.artifacts.sync",
            full,
        )
    with pytest.warns(BenchWarning, match="an artifact could not be kept in the cache") as said:
        tensors, seconds = asks()
    assert tensors["x"].tolist() == [3.0] * 4
    assert seconds >= 0
    assert str(tmp_path) not in str(said[0].message)
    assert built(tmp_path) == 1
    if moment != "the lock":
        assert left(tmp_path) == []


def test_an_error_of_a_builder_is_its_own_also_when_it_is_one_of_the_disk(tmp_path):
    def build():
        raise OSError(errno.ENOENT, "no such table")

    with pytest.raises(OSError, match="no such table"):
        Artifacts(tmp_path).get({"what": "it"}, {}, build, "cpu")
    assert left(tmp_path) == []


def test_the_stamp_of_a_file_that_was_touched_is_kept_so_that_it_is_read_once(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("bench.runs.inputs._RACY", 0)  # of a file that is as old as the test
    file = tmp_path / "rows.txt"
    file.write_text("3")
    os.utime(file, (1, 1))
    artifacts = Artifacts(tmp_path)

    def ask():
        return artifacts.get(
            {"what": "rows"},
            {"owner": "Setup"},
            lambda: {"x": torch.full((2,), float(file.read_text()))},
            "cpu",
        )[0]["x"].tolist()

    def known():
        (page,) = (tmp_path / "artifacts").glob("*/recipe.json")
        (found,) = json.loads(page.read_text())["inputs"]["files"]
        return page.read_bytes(), found

    assert ask() == [3.0, 3.0]
    first, before = known()
    assert ask() == [3.0, 3.0]
    assert known()[0] == first
    os.utime(file, (2, 2))
    assert ask() == [3.0, 3.0]
    second, after = known()
    path, size, mtime, _, inode, digest = before
    assert (path, size, mtime) == (str(file), 1, 1_000_000_000)
    assert [*after[:3], *after[4:]] == [path, size, 2_000_000_000, inode, digest]
    assert json.loads(second)["built"] == json.loads(first)["built"]
    assert ask() == [3.0, 3.0]
    assert known()[0] == second
    file.write_text("4")
    assert ask() == [4.0, 4.0]
