"""Fixtures shared by all tests."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import budgets
import pytest


def pytest_configure(config):
    """Count what tests take, and fail a run in which a folder takes more than its budget."""
    budgets.register(config)


# Runs: a cache for the session, and one call that plans and runs ------------


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory):
    """Keep every index and artifact of this session out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("bench-cache")
        patch.setenv("BENCH_CACHE", str(folder))
        for name in ("BENCH_PLUGINS", "BENCH_STRICT_PLUGINS", "BENCH_DISABLE_PLUGINS", "BENCH_RESULTS"):
            patch.delenv(name, raising=False)
        patch.setenv("BENCH_FLOPS", "0")  # a second pass takes longer than most runs; tests that count say so
        yield folder


@pytest.fixture(scope="session")
def with_kernels(session_cache):
    """Make a folder a cache that knows this machine's kernels: asking the libraries takes seconds of each test that has a cache of its own."""
    from bench.runs import kernels, provenance

    def call(folder: Path) -> Path:
        if not (session_cache / "kernels").is_dir():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("BENCH_CACHE", str(session_cache))
                kernels._asked.cache_clear()
                provenance.kernels_here()
        shutil.copytree(session_cache / "kernels", folder / "kernels", dirs_exist_ok=True)
        return folder

    return call


@pytest.fixture(scope="session")
def mock_folder() -> str:
    """The private benchmark that the tests load as a plugin."""
    return str(Path(__file__).parent / "mock")


@pytest.fixture(scope="session")
def graph_library():
    """torch_geometric, imported once with whatever it warns of at import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch_geometric.data
    return torch_geometric


@pytest.fixture
def run_plan(tmp_path, mock_folder):
    """Plan and run: ``run_plan(methods=..., tasks=..., seeds=...)`` returns the records, the plan and the driver."""
    from types import SimpleNamespace

    from bench.executors.engines import engine
    from bench.executors.slots import Slots
    from bench.plugins.registry import Registry
    from bench.runs.drive import Driver, preload_names
    from bench.runs.keys import Keys
    from bench.runs.limits import Limits
    from bench.runs.plan import Request, make_plan
    from bench.runs.store import Store

    def call(*, registry=None, paths=None, executor="inline", parallel=2, results=None, timeout=None, flops=False, **request):
        registry = registry or Registry(paths=[mock_folder] if paths is None else paths)
        plan = make_plan(Request(**request), registry)
        store = Store(Path(results) if results else tmp_path / "results")
        store.open_for_writing()
        machines = engine(executor)
        driver = Driver(registry, store, Limits(wall=timeout), Keys(registry, machines.environment), flops)
        done, todo = driver.split(plan)
        made = machines.executor(Slots(parallel), preload_names(todo, registry), lambda _: None)
        ran = [record for _, record in driver.run(todo, made, parallel, lambda *_: None)]
        return SimpleNamespace(records=[record for record in ran if record is not None], done=done, plan=plan, driver=driver, store=store, registry=registry)

    return call
