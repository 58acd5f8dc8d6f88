"""A full disk, at whatever moment: a sentence, and a store in which every record is whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from bench.errors import EnvironmentFault

WRITES = {
    "open": 1,
    "os.mkdir": 0,
    "os.link": 1,
    "os.rename": 1,
    "tempfile.mkstemp": 0,
    "tempfile.mkdtemp": 0,
}
"""Events of the interpreter that need room on a disk, and which of their
arguments is a path there.
"""

ON_A_SMALL_DISK = """
import json, subprocess, sys
from pathlib import Path
from click.testing import CliRunner
from bench.cli import main

results = sys.argv[1]
command = ["run", "--device", "cpu", "--preset", "smoke", "--method", "ce", "--task", "noisy-digits", "--quiet", "--executor", "inline", "--results", results]

def records():
    return {path.name: path.read_bytes() for path in Path(results).glob("records/*/[0-9a-f]*.json")}

def call(*more):
    found = CliRunner().invoke(main, [*command, *more])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found

assert call("--seeds", "1").exit_code == 0
first = records()
Path(results, "filler").write_bytes(b"")
with open(Path(results, "filler"), "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass
full = call("--seeds", "3")
left = records()
Path(results, "filler").unlink()
assert not subprocess.run(["df", results], capture_output=True, check=False).returncode
again = call("--seeds", "3")
print(json.dumps({
    "code": full.exit_code, "said": full.stderr, "kept": left == first, "again": again.exit_code, "count": len(records()),
    "attempts": sorted(json.loads(data)["attempt"] for data in records().values()),
}))
"""


@pytest.mark.slow
def test_a_disk_that_is_full_ends_with_a_sentence_and_the_same_command_goes_on_when_there_is_room(
    tmp_path,
):
    import json

    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=400k tmpfs {disk} && exec "$@"'
    if subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "sh", "true"], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting is not allowed here; the next test injects the error instead")
    done = subprocess.run(
        [
            "unshare",
            "-rm",
            "sh",
            "-c",
            mount,
            "sh",
            sys.executable,
            "-c",
            ON_A_SMALL_DISK,
            str(disk),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["code"] == 4
    assert "free the disk" in found["said"]
    assert "Traceback" not in found["said"]
    assert found["kept"]
    assert (found["again"], found["count"], found["attempts"]) == (0, 3, [1, 1, 1])


def test_no_room_at_any_write_ends_with_a_sentence_and_leaves_every_record_whole(
    run_plan, tmp_path
):
    before = run_plan(track="mock-regression", preset="smoke", seeds="1", methods=("constant",))
    records = {path: path.read_bytes() for path in before.store.root.glob("records/*/*.json")}
    pid = os.fork()
    if pid == 0:  # a hook of the interpreter can't be taken back
        code = 1
        try:
            code = 0 if fail_at_every_write(before, tmp_path, records) >= 5 else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def fail_at_every_write(before, tmp_path: Path, records: dict[Path, bytes]) -> int:
    """Run a method again and again, each time with one more write going
    well; return after how many it ended as if nothing were.
    """
    from bench.executors.configs import make_executor
    from bench.runs.plan import Request, make_plan

    room = -1

    def hook(event: str, arguments: tuple) -> None:
        nonlocal room
        if event not in WRITES or room < 0:
            return
        path = arguments[WRITES[event]]
        if not isinstance(path, str | os.PathLike) or not str(path).startswith(str(tmp_path)):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room -= 1

    sys.addaudithook(hook)
    for count in range(200):
        driver = type(before.driver)(before.registry, before.store)
        todo = driver.split(
            make_plan(
                Request(
                    track="mock-regression",
                    preset="smoke",
                    seeds=f"{count + 1}-{count + 1}",
                    methods=("constant",),
                ),
                before.registry,
            )
        )[1]
        assert len(todo) == 1
        room = count
        try:
            found = [
                record
                for _, record in driver.run(
                    todo, make_executor("inline", None, ()), 1, lambda *_: None
                )
            ]
        except EnvironmentFault as error:
            assert "No space left on device" in str(error)  # noqa: PT017 - there is no other way out but the last
            found = []
        finally:
            left, room = room, -1
        store = type(before.store)(before.store.root)
        whole = store.read()
        assert not store.damaged
        assert {record.seed for record in whole} >= {record.seed for record in found}
        assert all(path.read_bytes() == data for path, data in records.items())
        assert all(
            record.status == "ok" or "No space left on device" in record.error.message
            for record in found
        )
        if left > 0:
            assert found[0].status == "ok"
            return count
    raise AssertionError("it never ended well")
