"""Runs of the chaos plugins within limits of a test's own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

CHAOS = str(Path(__file__).parents[1] / "chaos")


@pytest.fixture(scope="session")
def run_chaos(tmp_path_factory):
    """Run methods on the chaos task, one seed each: ``run_chaos("plain",
    "burner", cpu=1.0)`` returns the records by method.
    """
    from bench.executors.local import LocalExecutor
    from bench.executors.slots import Slots
    from bench.plugins.registry import Registry
    from bench.runs.driver import Driver
    from bench.runs.limits import Limits
    from bench.runs.plan import Request, make_plan
    from bench.runs.store import Store

    def call(*methods: str, **limits):
        store = Store(tmp_path_factory.mktemp("chaos"))
        store.open_for_writing()
        driver = Driver(Registry(paths=[CHAOS]), store, Limits(**limits))
        todo = driver.split(
            make_plan(Request(methods=methods, tasks=("point",), preset="smoke"), driver.registry)
        )[1]
        executor = LocalExecutor(
            Slots(2), ["torch", "bench.runs.run_job", "bench.training.state", "safetensors.torch"]
        )
        records = {
            keyed.cell.spec.method: record
            for keyed, record in driver.run(todo, executor, 2, lambda *_: None)
        }
        return SimpleNamespace(records=records, store=store)

    return call
