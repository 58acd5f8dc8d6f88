"""Grids of chaos methods on an executor by its name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from bench.executors.configs import executor_config
from bench.executors.slots import Slots
from bench.plugins.registry import Registry
from bench.runs.driver import Driver
from bench.runs.keys import Keys
from bench.runs.limits import Limits
from bench.runs.plan import Request, make_plan
from bench.runs.store import Store

CHAOS = str(Path(__file__).parents[1] / "chaos")
PRELOAD = ["torch", "bench.runs.run_job", "bench.training.state", "safetensors.torch"]


class Watched:
    """An executor that counts how many jobs are out."""

    def __init__(self, executor) -> None:
        self.executor, self.enforces_limits = executor, executor.enforces_limits
        self.out, self.most = 0, 0

    def run(self, jobs, notice):
        def counted():
            for job in jobs:
                if job is not None:
                    self.out += 1
                    self.most = max(self.most, self.out)
                yield job

        for ended in self.executor.run(counted(), notice):
            self.out -= 1
            yield ended


def grid(text: str, store: Store, seeds: dict[str, int], **limits):
    """Return a driver, its executor and what is to run: so many seeds of
    methods on the chaos task.
    """
    machines, registry = executor_config(text), Registry(paths=[CHAOS])
    driver = Driver(registry, store, Limits(**limits), Keys(registry, machines.environment))
    todo = []
    for name, count in seeds.items():
        todo += driver.split(
            make_plan(
                Request(methods=(name,), tasks=("point",), preset="smoke", seeds=str(count)),
                registry,
            )
        )[1]
    said = []
    return SimpleNamespace(
        driver=driver,
        todo=todo,
        said=said,
        executor=Watched(
            machines.executor(Slots(64 if text != "local" else 2), PRELOAD, said.append)
        ),
    )


def a_store(folder: Path) -> Store:
    """Return a store to write into."""
    store = Store(folder)
    store.open_for_writing()
    return store


def figures(records) -> dict:
    """Return what must be equal to the bit wherever it was computed."""
    return {
        (item.method, item.seed): (item.status, item.key, item.metrics, item.curve)
        for item in records
    }
