"""Several drivers in one folder: locks, what others recorded, what the
dead left, and which job goes first.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from bench.errors import UsageError
from bench.runs.cell_locks import CellLocks
from bench.runs.limits import Limits, fair_memory, machine_memory, parse_size
from bench.runs.schedule import Expected, Waiting

HOLDER = (
    "import sys; from pathlib import Path; from bench.runs.cell_locks import CellLocks\nwith "
    "CellLocks(Path(sys.argv[1])) as locks:\n    print([locks.acquire(key) for key in "
    "sys.argv[2:]], flush=True)\n    input()"
)


@pytest.fixture
def other(tmp_path):
    """Start a process that is at work in the folder and locks the given keys."""
    started = []

    def start(*keys: str) -> tuple[subprocess.Popen, str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path), *keys],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_lock_keeps_another_process_out_until_its_holder_is_killed(tmp_path, other):
    one, two = "1" * 32, "2" * 32
    process, said = other(one)
    assert said == "[True]"
    with CellLocks(tmp_path) as locks:
        assert (locks.acquire(one), locks.acquire(two)) == (False, True)
        assert other(one, two)[1] == "[False, False]"
        locks.release(two)
        assert other(two)[1] == "[True]"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert locks.acquire(one)


def test_a_driver_knows_whether_it_is_alone(tmp_path, other):
    with CellLocks(tmp_path) as locks:
        with locks.exclusive() as alone:
            assert alone
        process, _ = other()
        with locks.exclusive() as alone:
            assert not alone
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locks.exclusive() as alone:
            assert alone


@pytest.fixture
def leftovers(tmp_path):
    """A folder of results as a driver leaves it that was killed at the worst moments."""
    old = time.time() - 60
    shard = tmp_path / "records" / "ab"
    shard.mkdir(parents=True)
    (shard / "abc-1.json").write_text("{}")
    os.link(shard / "abc-1.json", shard / ".writing-linked")
    for name, age in (("old", 60), ("fresh", 0)):
        (shard / f".writing-{name}").write_text("{")
        os.utime(shard / f".writing-{name}", (time.time() - age, time.time() - age))
    (tmp_path / ".probe123").touch()
    os.utime(tmp_path / ".probe123", (old, old))
    for job, kept in (("empty", False), ("cut-off", True)):
        folder = tmp_path / "work" / job / "0-seed-0" / "problem-0"
        folder.mkdir(parents=True)
        (folder / ("checkpoint.safetensors" if kept else "scratch.bin")).write_bytes(b"x")
        (tmp_path / "work" / job / "job.json").write_bytes(
            msgspec.json.encode([job.encode().hex()])
        )
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def test_what_the_dead_left_is_swept_and_checkpoints_and_another_commands_files_are_not(leftovers):
    from bench.runs.driver_session import DriverSession

    with CellLocks(leftovers) as locks:
        DriverSession(leftovers, locks, 0.0, None).sweep()
    assert names(leftovers / "records") == {"ab", "abc-1.json", ".writing-fresh"}
    assert names(leftovers / "work") == {
        "cut-off",
        "job.json",
        "0-seed-0",
        "problem-0",
        "checkpoint.safetensors",
    }
    assert not (leftovers / ".probe123").exists()


def test_nothing_is_swept_while_another_driver_is_at_work(leftovers, other):
    from bench.runs.driver_session import DriverSession

    process, _ = other()
    before = names(leftovers)
    with CellLocks(leftovers) as locks:
        DriverSession(leftovers, locks, 0.0, None).sweep()
        assert names(leftovers) == before | {".lock"}
        process.send_signal(signal.SIGKILL)
        process.wait()
        DriverSession(leftovers, locks, 0.0, None).sweep()
    assert ".writing-old" not in names(leftovers)


def test_a_job_that_was_cut_off_is_taken_up_as_it_was(leftovers):
    from bench.runs.driver_session import DriverSession

    keyed = [SimpleNamespace(key=name.encode().hex()) for name in ("other", "cut-off", "empty")]
    with CellLocks(leftovers) as locks:
        session = DriverSession(leftovers, locks, 0.0, None)
        assert session.resumable(keyed) == [[keyed[1]]]
        assert session.resumable(keyed[:1]) == []


def test_what_another_driver_recorded_meanwhile_is_taken_and_not_run_again(run_plan, tmp_path):
    request = {
        "track": "mock-regression",
        "preset": "smoke",
        "variants": ("noisy",),
        "methods": ("constant",),
    }
    ran = run_plan(**request)
    cells = [ran.driver.keys.of(cell) for cell in ran.plan.cells]
    jobs = []

    class Refusing:
        enforces_limits = False

        def run(self, offers, notice):
            jobs.extend(offers)
            return iter(())

    # planned before it was recorded: the driver is as old
    found = list(ran.driver.run(cells, Refusing(), 1, lambda *_: None))
    assert jobs == []
    assert {record.id for _, record in found} == {record.id for record in ran.records}
    later = type(ran.driver)(ran.registry, ran.store)
    later._began += 1
    assert list(later.run(cells, Refusing(), 1, lambda *_: None)) == []
    # an earlier command's record does not stop a run that was asked for again
    assert len(jobs) == len(cells)


def test_a_cell_that_is_at_work_elsewhere_waits_and_the_others_go_on(run_plan, other):
    ran = run_plan(
        track="mock-regression",
        preset="smoke",
        variants=("noisy",),
        methods=("constant",),
        results=None,
    )
    later = type(ran.driver)(ran.registry, ran.store)
    later._began += 1
    cells = [later.keys.of(cell) for cell in ran.plan.cells]
    assert len(cells) == 2
    offered = []

    class Watching:
        enforces_limits = False

        def run(self, offers, notice):
            offered.append(next(offers))
            offered.append(next(offers))
            process.send_signal(signal.SIGKILL)
            process.wait()
            offered.extend(offers)
            return iter(())

    holder = HOLDER.replace("sys.argv[1]", repr(str(ran.store.root)))
    process = subprocess.Popen(
        [sys.executable, "-c", holder, "", cells[0].key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().strip() == "[True]"
    list(later.run(cells, Watching(), 1, lambda *_: None))
    process.communicate()
    assert [None if job is None else job.specs[0].seed for job in offered] == [
        cells[1].cell.spec.seed,
        None,
        cells[0].cell.spec.seed,
    ]


# Which goes first -----------------------------------------------------------------


def test_the_longest_is_expected_from_its_own_records_then_its_methods_then_its_variants(run_plan):
    ran = run_plan(
        track="mock-regression",
        preset="smoke",
        variants=("noisy",),
        methods=("constant", "least-squares"),
    )
    for record in ran.records:
        record.cost = {
            "prepare_s": 1.0,
            "solve_s": 2.0 if record.method == "constant" else 12.0,
            "artifact_s": 0.5,
            "evaluate_s": 0.5,
        }
    expected = Expected(ran.records)
    by_method = {cell.spec.method: cell for cell in ran.plan.cells}
    assert expected.of(by_method["constant"]) == 3.0
    other_parameters = msgspec.structs.replace(
        by_method["least-squares"],
        spec=msgspec.structs.replace(by_method["least-squares"].spec, params={"fail_seed": 9}),
    )
    assert expected.of(other_parameters) == 13.0
    new = msgspec.structs.replace(
        by_method["constant"],
        spec=msgspec.structs.replace(by_method["constant"].spec, method="new"),
    )
    assert expected.of(new) == pytest.approx((3.0 * 2 + 13.0 * 2) / 4)
    assert Expected().of(new) == new.timeout
    assert expected.priority(new) == new.timeout  # it may be the slowest of all
    elsewhere = msgspec.structs.replace(
        by_method["least-squares"],
        spec=msgspec.structs.replace(by_method["least-squares"].spec, variant="clean"),
    )
    assert (expected.of(elsewhere), expected.priority(elsewhere)) == (elsewhere.timeout, 13.0)
    groups = ran.driver._groups(
        [ran.driver.keys.of(cell) for cell in ran.plan.cells],
        SimpleNamespace(resumable=lambda _: []),
        2,
    )
    assert len(groups) == 3  # both seeds of the stacked method are one job
    ran.driver.expected = expected
    groups = ran.driver._groups(
        [ran.driver.keys.of(cell) for cell in ran.plan.cells],
        SimpleNamespace(resumable=lambda _: []),
        2,
    )
    assert [group[0].cell.spec.method for group in groups] == [
        "least-squares",
        "constant",
        "constant",
    ]


def test_what_waits_is_sorted_again_as_runs_end_but_not_after_each_of_thousands(run_plan):
    ran = run_plan(
        track="mock-regression",
        preset="smoke",
        variants=("noisy",),
        methods=("constant", "least-squares"),
        seeds="1",
    )
    for record in ran.records:
        record.cost = {"solve_s": 2.0 if record.method == "constant" else 12.0}
    jobs = sorted(
        ([ran.driver.keys.of(cell)] for cell in ran.plan.cells),
        key=lambda job: job[0].cell.spec.method,
    )
    waiting = Waiting(Expected())
    assert waiting.sorted(jobs) is jobs
    for record in ran.records:
        waiting.learn(record)
    assert waiting.sorted(jobs * 21) == jobs * 21
    assert [job[0].cell.spec.method for job in waiting.sorted(jobs)] == [
        "least-squares",
        "constant",
    ]
    assert waiting.sorted(jobs) is jobs  # nothing ended since


def test_the_jobs_that_are_left_are_ordered_before_each_is_sent_out(tmp_path):
    from bench.runs.driver_session import DriverSession

    keyed = [
        SimpleNamespace(key=f"{place:032x}", cell=SimpleNamespace(spec=SimpleNamespace(cell="ab")))
        for place in range(5)
    ]
    with CellLocks(tmp_path) as locks:
        jobs = DriverSession(tmp_path, locks, 0.0, None).jobs(
            [[one] for one in keyed],
            lambda mine: SimpleNamespace(name=mine[0].key, workdir=tmp_path / "work"),
            lambda left: list(reversed(left)),
        )
        assert [int(job.name, 16) for job in jobs] == [0, 4, 1, 3, 2]


def test_a_run_that_was_killed_is_expected_to_take_as_long_again(run_plan):
    ran = run_plan(
        track="mock-regression",
        preset="smoke",
        variants=("noisy",),
        methods=("constant",),
        seeds="1",
    )
    record = msgspec.structs.replace(
        ran.records[0],
        status="timeout",
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:05:00+00:00",
    )
    assert Expected([record]).of(ran.plan.cells[0]) == 300.0
    assert Expected([msgspec.structs.replace(record, started="soon")]).of(ran.plan.cells[0]) == 0.0


# Sizes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GiB", 2**30),
        ("512M", 2**29),
        ("1.5g", 3 * 2**29),
        ("2097152", 2**21),
        (" 2 GB ", 2**31),
        ("none", None),
        ("9" * 400 + "T", 2**50),
    ],
)
def test_sizes_are_read_in_units_of_1024(text, size):
    assert parse_size(text, "--memory") == size


@pytest.mark.parametrize("text", ["", "much", "-1G", "1X", "1e9", "12", "0"])
def test_what_is_no_size_is_a_usage_error_that_shows_one(text):
    with pytest.raises(
        UsageError, match=r"--memory got .*; give a size like 512M or 4GiB, or none for no limit"
    ):
        parse_size(text, "--memory")


def test_the_default_limit_of_memory_is_an_even_share_of_the_machines():
    assert 2 * fair_memory(2) == pytest.approx(0.9 * machine_memory(), rel=0.01)
    assert fair_memory(10_000) == 2**30


def test_limits_are_no_part_of_the_key(run_plan, tmp_path):
    request = {
        "track": "mock-regression",
        "preset": "smoke",
        "variants": ("noisy",),
        "methods": ("constant",),
        "seeds": "1",
    }
    first = run_plan(**request, results=tmp_path / "a")
    second = run_plan(**request, results=tmp_path / "b", timeout=1234.0)
    assert second.driver._job([second.driver.keys.of(second.plan.cells[0])]).limits == Limits(
        wall=1234.0
    )
    assert first.records[0].key == second.records[0].key
