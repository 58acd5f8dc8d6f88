"""How quick the harness itself is: registry, keys, store.

``make bench-speed`` prints the figures.
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from bench.plugins.index import Index
from bench.plugins.registry import Registry
from bench.runs.driver import Driver
from bench.runs.keys import Keys
from bench.runs.plan import Request, make_plan
from bench.runs.record import Record
from bench.runs.spec import RunSpec, run_key
from bench.runs.store import Store

SPEC = RunSpec(
    track="t",
    method="m",
    params={"lam": 1.0},
    task="k",
    task_params={"rate": 0.4},
    preset="default",
    variant="v",
    seed=0,
    device="cpu",
)


def record(seed: int, method: str = "m", variant: str = "v") -> Record:
    """Return a record of about the size of a real one."""
    spec = msgspec.structs.replace(SPEC, seed=seed, method=method, variant=variant)
    fields = {name: getattr(spec, name) for name in RunSpec.__struct_fields__}
    curve = [{"step": step, "acc": 90.0 + step / 100, "memorised": 1.0} for step in range(60)]
    return Record(
        **fields,
        cell=spec.cell,
        key=run_key(spec, ["a"], {}),
        status="ok",
        metrics={f"m{k}": 1.5 + seed * k for k in range(13)},
        curve=curve,
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:00:01+00:00",
    )


def test_the_registry_opens_from_a_warm_index(benchmark, tmp_path):
    Registry(index=Index(tmp_path))
    registry = benchmark(lambda: Registry(index=Index(tmp_path)))
    assert registry.rows("method")


def test_the_index_is_built_from_nothing(benchmark, tmp_path):
    counter = iter(range(10**6))
    registry = benchmark(lambda: Registry(index=Index(tmp_path / str(next(counter)))))
    assert registry.rows("method")


def test_a_thousand_cells_are_hashed(benchmark):
    cells = [msgspec.structs.replace(SPEC, seed=seed) for seed in range(1000)]
    keys = benchmark(lambda: {run_key(cell, ["a", "b"], {"torch": "2"}) for cell in cells})
    assert len(keys) == 1000


def test_a_grid_is_planned_and_keyed(benchmark):
    registry = Registry()
    request = Request(track="noisy-labels", seeds="20")

    def plan() -> int:
        keys = Keys(registry)
        return len([keys.of(cell) for cell in make_plan(request, registry).cells])

    assert benchmark(plan) >= 1000


def test_a_record_is_appended(benchmark, tmp_path):
    store = Store(tmp_path)
    store.open_for_writing()
    seeds = iter(range(10**6))
    path = benchmark(lambda: store.write(record(next(seeds))))
    assert path.is_file()


def fill(store: Store, methods: int, seeds: int, variants: int = 1) -> None:
    """Write records of 60 epochs each, without waiting for the disk."""
    store.open_for_writing()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.runs.store.os.fsync", lambda _: None)
        patch.setattr("bench.runs.store_files.os.fsync", lambda _: None)
        for method, variant, seed in itertools.product(
            range(methods), range(variants), range(seeds)
        ):
            store.write(record(seed, f"m{method}", f"v{variant}"))


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory):
    """A store of 10,000 records: 500 rows of 20 seeds."""
    store = Store(tmp_path_factory.mktemp("store"))
    fill(store, 500, 20)
    return store


def drop_from_memory(folder: Path) -> None:
    """Have the next read of every file come from the disk."""
    for path in folder.rglob("*.json"):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def child(code: str) -> tuple[float, int]:
    """Run Python code in a process of its own and return its processor
    time in seconds and its peak memory in MiB.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                f"{code}\nimport resource; "
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss "
                "// 1024)"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, int(
        done.stdout.splitlines()[-1]
    )


READ = (
    "from pathlib import Path\nfrom bench.runs.store import Store\nassert "
    "len(Store(Path({root!r})).briefs()) == {count}"
)
BOARD = """
from bench.cli import main
try:
    main(["leaderboard", "--results", {root!r}])
except SystemExit as end:
    assert not end.code
"""


@pytest.mark.slow
def test_ten_thousand_records_are_read_from_the_index(benchmark, ten_thousand):
    ten_thousand.briefs()
    assert len(benchmark.pedantic(ten_thousand.briefs, rounds=3)) == 10_000


@pytest.mark.slow
def test_ten_thousand_cold_records_are_read_in_four_seconds_and_their_board_made_in_one_and_a_half(
    ten_thousand, tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    drop_from_memory(ten_thousand.root)
    assert child(READ.format(root=str(ten_thousand.root), count=10_000))[0] <= 4.0
    child(BOARD.format(root=str(ten_thousand.root)))
    assert min(child(BOARD.format(root=str(ten_thousand.root)))[0] for _ in range(2)) <= 1.5


@pytest.mark.slow
def test_a_hundred_thousand_records_are_read_in_thirty_seconds_then_five_within_a_gibibyte(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    store = Store(tmp_path / "results")
    fill(store, 50, 20, variants=100)
    drop_from_memory(store.root)
    call = READ.format(root=str(store.root), count=100_000)
    for limit in (30.0, 5.0):
        seconds, memory = child(call)
        assert seconds <= limit
        assert memory < 1024
    seconds, memory = child(BOARD.format(root=str(store.root)))
    assert memory < 1024
    assert child(BOARD.format(root=str(store.root)))[0] <= 5.0


def test_a_plan_of_forty_thousand_cells_is_split_within_two_seconds(tmp_path):
    registry = Registry()
    request = Request(track="noisy-labels", seeds="40")
    start = time.process_time()
    done, todo = Driver(registry, Store(tmp_path)).split(make_plan(request, registry))
    assert (len(done), len(todo) >= 40000) == (0, True)
    assert time.process_time() - start < 2.0


def test_planning_five_hundred_cells_of_which_none_is_recorded_takes_less_than_a_second(tmp_path):
    registry = Registry()
    start = time.process_time()
    done, todo = Driver(registry, Store(tmp_path)).split(
        make_plan(Request(track="noisy-labels", seeds="10"), registry)
    )
    assert (len(done), len(todo) >= 500) == (0, True)
    assert time.process_time() - start < 1.0


@pytest.mark.slow
def test_a_hundred_thousand_cells_have_their_keys_within_thirty_seconds():
    registry = Registry()
    plan = make_plan(Request(track="noisy-labels", seeds="1800"), registry)
    assert len(plan.cells) >= 100_000
    keys, start = Keys(registry), time.process_time()
    assert len({keys.of(cell).key for cell in plan.cells}) == len(plan.cells)
    spent = time.process_time() - start
    print(f"{len(plan.cells)} keys: {spent:.1f} s of the processor")
    assert spent <= 30.0
