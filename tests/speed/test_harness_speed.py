"""How quick the harness itself is: registry, keys, store. ``make bench-speed`` prints the figures."""

from __future__ import annotations

import time

import msgspec
import pytest

from bench.plugins.index import Index
from bench.plugins.registry import Registry
from bench.runs.drive import Driver, Keys
from bench.runs.plan import Request, make_plan
from bench.runs.record import Record
from bench.runs.spec import RunSpec, run_key
from bench.runs.store import Store

SPEC = RunSpec(track="t", method="m", params={"lam": 1.0}, task="k", task_params={"rate": 0.4}, preset="default", variant="v", seed=0, device="cpu")


def record(seed: int) -> Record:
    """Return a record of about the size of a real one."""
    spec = msgspec.structs.replace(SPEC, seed=seed)
    fields = {name: getattr(spec, name) for name in RunSpec.__struct_fields__}
    curve = [{"step": step, "acc": 90.0 + step / 100, "memorised": 1.0} for step in range(60)]
    return Record(
        **fields,
        cell=spec.cell,
        key=run_key(spec, ["a"], {}),
        status="ok",
        metrics={f"m{k}": 1.5 for k in range(13)},
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


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory):
    """A store of 10,000 records, written without waiting for the disk."""
    store = Store(tmp_path_factory.mktemp("store"))
    store.open_for_writing()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.runs.store.os.fsync", lambda _: None)
        for seed in range(10_000):
            store.write(record(seed))
    return store


@pytest.mark.slow
def test_ten_thousand_records_are_read(benchmark, ten_thousand):
    records = benchmark.pedantic(ten_thousand.read, rounds=3)
    assert len(records) == 10_000


def test_planning_five_hundred_cells_of_which_none_is_recorded_takes_less_than_a_second(tmp_path):
    registry = Registry()
    start = time.process_time()
    done, todo = Driver(registry, Store(tmp_path)).split(make_plan(Request(track="noisy-labels", seeds="10"), registry))
    assert (len(done), len(todo) >= 500) == (0, True)
    assert time.process_time() - start < 1.0
