"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import os
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import budgets
import hypothesis
import parts
import pytest

# How long an example takes is the machine's business: a busy one fails none.
hypothesis.settings.register_profile(
    "bench", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("bench")


def pytest_configure(config):
    """Keep the user's settings and cache out of all that is collected, and
    count what tests take.
    """
    for name in ("BENCH_PLUGINS", "BENCH_STRICT_PLUGINS", "BENCH_DISABLE_PLUGINS", "BENCH_RESULTS"):
        os.environ.pop(name, None)
    # else each of the hundreds of processes that tests start compiles bench anew
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # every index and artifact of this session
    folder = os.environ["BENCH_CACHE"] = tempfile.mkdtemp(prefix="bench-tests-cache-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    # a second pass takes longer than most runs; tests that count say so
    os.environ["BENCH_FLOPS"] = "0"
    budgets.register(config)
    config.pluginmanager.register(parts)


@pytest.hookimpl(hookwrapper=True)
def pytest_collection(session):
    """Look for garbage among what tests make alone: half a million objects of modules and collected
    tests live to the end, and took a fifth of the time.
    """
    gc.disable()
    yield
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


def pytest_collection_finish(session):
    """Compute on one thread, as runs do: of two workers with threads for every processor, each
    waits for the other's most of the time.
    """
    if "torch" in sys.modules:
        import threadpoolctl
        import torch

        torch.set_num_threads(1)
        threadpoolctl.threadpool_limits(1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Start the global random numbers anew before each test and its fixtures: else what a test draws
    depends on the tests that its worker ran before it.
    """
    random.seed(0)
    for module, seed in (("numpy.random", "seed"), ("torch", "manual_seed")):
        if module in sys.modules:
            getattr(sys.modules[module], seed)(0)


# Runs: a cache for the session, and one call that plans and runs ------------


@pytest.fixture(scope="session")
def session_cache():
    """The cache of this session (see :func:`pytest_configure`)."""
    return Path(os.environ["BENCH_CACHE"])


@pytest.fixture(scope="session")
def with_kernels(session_cache):
    """Make a folder a cache that knows this machine's kernels and the built-in plugins: else each
    test that has a cache of its own takes seconds for them.
    """
    from bench.plugins.registry import Registry
    from bench.runs import kernels, provenance

    def call(folder: Path) -> Path:
        if not (session_cache / "kernels").is_dir():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("BENCH_CACHE", str(session_cache))
                kernels._asked.cache_clear()
                provenance.kernels_here()
                Registry()
        for index in session_cache.glob("index-*.json"):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(index, folder)
        shutil.copytree(session_cache / "kernels", folder / "kernels", dirs_exist_ok=True)
        return folder

    return call


@pytest.fixture(scope="session")
def real(session_cache, tmp_path_factory):
    """Load a dataset that a package of the system has, ``real(FashionMnist())``: from the cache
    that runs of this session share. Where it is not here the test is skipped with the sentence that
    tells how to have it; where data is required, as in continuous integration, it fails.
    """

    def call(dataset):
        import importlib.util

        import torch

        from bench.errors import DataUnavailable
        from bench.runs.artifacts import Artifacts
        from bench.runs.context import Setup

        required = os.environ.get("BENCH_TEST_EXTRAS") == "required"
        miss = pytest.fail if required else pytest.skip
        for name in dataset.card.libraries:
            if importlib.util.find_spec(name) is None:
                miss(f"the library {name} is not installed")

        run = Setup(
            seed=0,
            task="t",
            method="m",
            device=torch.device("cpu"),
            workdir=tmp_path_factory.mktemp("real"),
            artifacts=Artifacts(session_cache),
        )
        try:
            return dataset.load(run)
        except DataUnavailable as error:
            miss(str(error))

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
    """Plan and run: ``run_plan(methods=..., tasks=..., seeds=...)``
    returns the records, the plan and the driver.
    """
    from types import SimpleNamespace

    from bench.executors.configs import executor_config
    from bench.executors.slots import Slots
    from bench.plugins.registry import Registry
    from bench.runs.driver import Driver
    from bench.runs.keys import Keys
    from bench.runs.limits import Limits
    from bench.runs.plan import Request, make_plan
    from bench.runs.preload_names import preload_names
    from bench.runs.store import Store

    def call(
        *,
        registry=None,
        paths=None,
        executor="inline",
        parallel=2,
        results=None,
        timeout=None,
        flops=False,
        **request,
    ):
        registry = registry or Registry(paths=[mock_folder] if paths is None else paths)
        plan = make_plan(Request(**request), registry)
        store = Store(Path(results) if results else tmp_path / "results")
        store.open_for_writing()
        machines = executor_config(executor)
        driver = Driver(
            registry, store, Limits(wall=timeout), Keys(registry, machines.environment), flops
        )
        done, todo = driver.split(plan)
        made = machines.executor(Slots(parallel), preload_names(todo, registry), lambda _: None)
        ran = [record for _, record in driver.run(todo, made, parallel, lambda *_: None)]
        return SimpleNamespace(
            records=[record for record in ran if record is not None],
            done=done,
            plan=plan,
            driver=driver,
            store=store,
            registry=registry,
        )

    return call
