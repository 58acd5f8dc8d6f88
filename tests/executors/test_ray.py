"""A grid on two Ray nodes of this machine: one is killed in the middle, nothing is lost, and every bit is the local executor's."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.executors.engines import engine
from bench.executors.slots import Slots
from bench.plugins.registry import Registry
from bench.runs.drive import Driver, Keys
from bench.runs.limits import Limits
from bench.runs.plan import Request, make_plan
from bench.runs.store import Store

pytest.importorskip("ray", reason="needs the extra 'ray'", exc_type=ImportError) if os.environ.get("BENCH_TEST_EXTRAS") != "required" else None
pytestmark = [pytest.mark.xdist_group("ray")]

CHAOS = str(Path(__file__).parents[1] / "chaos")
PRELOAD = ["torch", "bench.runs.worker", "bench.training.state", "safetensors.torch"]
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


class Watched:
    """An executor that counts how many jobs are out, and lets a test look in at every ending."""

    def __init__(self, executor) -> None:
        self.executor, self.confines = executor, executor.confines
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


@pytest.fixture(scope="module")
def cluster(session_cache):
    """A head and a second node, one place each, small object stores, no dashboard; gone with all its processes at the end."""
    import ray
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="bray")  # short: sockets lie in it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAOS_STEPS", f"{folder}/steps.txt")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        found = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "temp_dir": folder})
        second = found.add_node(**NODE)
        try:
            yield SimpleNamespace(cluster=found, second=second, address=found.address, steps=Path(folder) / "steps.txt", folder=Path(folder))
        finally:
            ray.shutdown()
            found.shutdown()
            import shutil

            shutil.rmtree(folder, ignore_errors=True)


def grid(text: str, store: Store, seeds: dict[str, int], **limits):
    """Return a driver, its executor and what is to run: methods of the chaos task."""
    machines = engine(text)
    registry = Registry(paths=[CHAOS])
    driver = Driver(registry, store, Limits(**limits), Keys(registry, machines.environment))
    todo = []
    for name, count in seeds.items():
        todo += driver.split(make_plan(Request(methods=(name,), tasks=("point",), preset="smoke", seeds=str(count)), registry))[1]
    said = []
    return SimpleNamespace(driver=driver, todo=todo, said=said, executor=Watched(machines.executor(Slots(64), PRELOAD, said.append)))


def a_store(folder: Path) -> Store:
    store = Store(folder)
    store.open_for_writing()
    return store


def figures(records) -> dict:
    return {(item.method, item.seed): (item.status, item.key, item.metrics, item.curve) for item in records}


def test_a_node_killed_in_the_middle_loses_nothing_and_the_bits_are_those_of_the_local_executor(cluster, tmp_path):
    seeds = {"walker": 3, "plain": 4, "segfault": 1, "raiser": 1, "eater": 1, "liar": 1}
    there = grid(f"ray[address={cluster.address}]", a_store(tmp_path / "ray"), seeds)
    second = cluster.second.node_id
    killed = threading.Event()

    def kill():
        posts = there.executor.executor._posts
        while not killed.is_set():
            post = posts.get(second)
            walking = [job.specs[0].seed for job, *_ in list(post.running.values()) if job.specs[0].method == "walker"] if post else []
            if walking and cluster.steps.exists() and f"{walking[0]}:2\n" in cluster.steps.read_text():
                cluster.cluster.remove_node(cluster.second, allow_graceful=False)
                killed.set()
            time.sleep(0.02)

    thread = threading.Thread(target=kill)
    thread.start()
    records = [record for _, record in there.driver.run(there.todo, there.executor, 2, lambda *_: None)]
    assert killed.is_set()
    thread.join()
    assert any("was lost with 1 runs" in sentence for sentence in there.said)
    assert there.executor.most <= 2  # two places: nothing waits anywhere but with the driver
    assert len(records) == sum(seeds.values())
    assert Counter(record.status for record in records) == {"ok": 8, "crashed": 1, "failed": 1, "oom": 1}
    steps = Counter(cluster.steps.read_text().split())
    assert set(steps) == {f"{seed}:{step}" for seed in range(3) for step in range(15)}
    assert steps.total() <= 47  # it went on elsewhere from its checkpoint: a step or two were taken twice
    assert not list((tmp_path / "ray").rglob("work"))
    here = grid("local", a_store(tmp_path / "local"), seeds)
    assert figures(records) == figures(record for _, record in here.driver.run(here.todo, here.executor, 2, lambda *_: None))
    walked = next(record for record in records if record.method == "walker")
    assert walked.provenance["limits"]["memory"] > 1 << 30  # the node's even share
    assert walked.provenance["method_source"] == CHAOS


def test_the_command_runs_on_ray_and_an_interrupt_leaves_records_of_what_it_cut_off(cluster, tmp_path):
    import subprocess
    import sys

    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heard}; from bench.cli import main; main()", "run", "--executor", f"ray[address={cluster.address}]", "--device", "cpu",
               "--plugins", CHAOS, "--task", "point", "--method", "sleeper,plain", "--preset", "smoke", "--timeout", "60", "--seeds", "1", "--results", str(tmp_path)]  # fmt: skip
    steps = Path(tempfile.mkdtemp()) / "x"
    del steps
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    patience = time.monotonic() + 60
    while not list(tmp_path.glob("work/*/*/problem-0")) and not list(tmp_path.glob("work/*/job.json")) and time.monotonic() < patience:
        time.sleep(0.05)
        assert process.poll() is None, process.stderr.read()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    records = [json.loads(path.read_bytes()) for path in tmp_path.glob("records/*/*.json")]
    assert "interrupted" in {record["status"] for record in records}
    assert not (tmp_path / "work").exists()
