"""A grid on two Ray nodes of this machine: one is killed in the middle,
nothing is lost, and every bit is the local executor's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from chaos_grid import CHAOS, a_store, figures, grid

if os.environ.get("BENCH_TEST_EXTRAS") != "required":
    pytest.importorskip("ray", reason="needs the extra 'ray'")
pytestmark = [pytest.mark.xdist_group("ray")]

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def cluster(session_cache, with_kernels):
    """A head and a second node, one place each, small object stores, no
    dashboard; gone with all its processes at the end.
    """
    import ray
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="bray")  # short: sockets lie in it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAOS_STEPS", f"{folder}/steps.txt")
        patch.setenv("BENCH_CACHE", str(with_kernels(Path(folder) / "cache")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # where Ray notes the cluster's address, in a folder that it takes to be there
        patch.setenv("RAY_TMPDIR", folder)
        (Path(folder) / "ray").mkdir()
        found = Cluster(
            initialize_head=True,
            head_node_args={**NODE, "include_dashboard": False, "temp_dir": folder},
        )
        # what a node names is its own
        patch.setenv("BENCH_CACHE", str(with_kernels(Path(folder) / "own")))
        second = found.add_node(**NODE)
        patch.undo()
        try:
            yield SimpleNamespace(
                cluster=found,
                second=second,
                address=found.address,
                steps=Path(folder) / "steps.txt",
                folder=Path(folder),
            )
        finally:
            ray.shutdown()
            found.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def test_a_node_killed_in_the_middle_loses_nothing_and_the_bits_are_those_of_the_local_executor(
    cluster, tmp_path, capsys
):
    seeds = {"walker": 3, "plain": 2, "segfault": 1, "raiser": 1, "eater": 1, "liar": 1}
    there = grid(
        f"ray[address={cluster.address}]", a_store(tmp_path / "ray"), seeds, memory=1 << 30
    )
    second = cluster.second.node_id
    killed = threading.Event()

    def kill():
        agents = there.executor.executor._agents.by_node
        while not killed.is_set():
            agent = agents.get(second)
            walking = (
                [
                    job.specs[0].seed
                    for job, *_ in list(agent.running.values())
                    if job.specs[0].method == "walker"
                ]
                if agent
                else []
            )
            if (
                walking
                and cluster.steps.exists()
                and f"{walking[0]}:2\n" in cluster.steps.read_text()
            ):
                cluster.cluster.remove_node(cluster.second, allow_graceful=False)
                killed.set()
            time.sleep(0.02)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    records = [
        record for _, record in there.driver.run(there.todo, there.executor, 2, lambda *_: None)
    ]
    assert killed.is_set()
    thread.join(timeout=5)
    assert capsys.readouterr().out == ""  # Ray would print pages there about the node
    assert any("was lost with 1 runs" in sentence for sentence in there.said)
    # two places, refilled before what ended there is handed on: nothing waits anywhere but with the
    # driver
    assert there.executor.most <= 4
    assert len(records) == sum(seeds.values())
    assert Counter(record.status for record in records) == {
        "ok": 6,
        "crashed": 1,
        "failed": 1,
        "oom": 1,
    }
    steps = Counter(cluster.steps.read_text().split())
    assert set(steps) == {f"{seed}:{step}" for seed in range(3) for step in range(15)}
    # it went on elsewhere from its checkpoint: a step or two were taken twice
    assert steps.total() <= 47
    assert not list((tmp_path / "ray").rglob("work"))
    # built once a cache
    assert [
        len(list(cluster.folder.glob(f"{cache}/artifacts/*/recipe.json")))
        for cache in ("cache", "own")
    ] == [1, 1]
    here = grid("local", a_store(tmp_path / "local"), seeds, memory=1 << 30)
    assert figures(records) == figures(
        record for _, record in here.driver.run(here.todo, here.executor, 2, lambda *_: None)
    )
    walked = next(record for record in records if record.method == "walker")
    assert walked.provenance["method_source"] == Path(CHAOS).name


def test_an_interrupt_leaves_records_and_checkpoints_of_what_it_cut_off(cluster, tmp_path):
    there = grid(f"ray[address={cluster.address}]", a_store(tmp_path), {"walker": 8})
    todo = [keyed for keyed in there.todo if keyed.cell.spec.seed == 7]

    def interrupt():
        while not cluster.steps.exists() or "7:1\n" not in cluster.steps.read_text():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        # Ray's waiting is not cut short by a signal: two within it would count as one
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    # heard also where a shell started the tests in the background
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(there.driver.run(todo, there.executor, 2, lambda *_: None))
    finally:
        thread.join(timeout=5)
        signal.signal(signal.SIGINT, before)
    assert [record.status for record in there.driver.store.read()] == ["interrupted"]
    assert len(list(tmp_path.glob("work/*/*/*/checkpoint.safetensors"))) == 1


@pytest.mark.slow
def test_an_interrupted_command_leaves_records_and_checkpoints_of_what_it_cut_off(
    cluster, tmp_path
):
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    arguments = [
        "run",
        "--executor",
        f"ray[address={cluster.address}]",
        "--device",
        "cpu",
        "--plugins",
        CHAOS,
        "--task",
        "point",
        "--method",
        "walker",
    ]
    command = [
        sys.executable,
        "-c",
        f"{heard}; from bench.cli import main; main()",
        *arguments,
        "--preset",
        "smoke",
        "--seeds",
        "6-6",
        "--results",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while not cluster.steps.exists() or "6:1" not in cluster.steps.read_text():
        time.sleep(0.05)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)  # Ray's waiting is not cut short by a signal: two within it would count as one
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    records = [json.loads(path.read_bytes()) for path in tmp_path.glob("records/*/*.json")]
    assert [record["status"] for record in records] == ["interrupted"]
    assert len(list(tmp_path.glob("work/*/*/*/checkpoint.safetensors"))) == 1


@pytest.mark.slow
def test_five_thousand_empty_runs_take_little_memory_and_little_more_time_than_locally(
    cluster, tmp_path
):
    """At most 500 MB in the driver, and at most three times the local executor's time for a run;
    ``BENCH_TEST_RUNS`` asks for fewer.
    """
    runs = int(os.environ.get("BENCH_TEST_RUNS", "5000"))
    if not any(node.node_id == cluster.second.node_id for node in cluster.cluster.list_all_nodes()):
        cluster.cluster.add_node(**NODE)
    found = {}
    for name, text, count in (
        ("local", "local", max(50, runs // 10)),
        ("ray", f"ray[address={cluster.address}]", runs),
    ):
        command = [
            sys.executable,
            str(Path(CHAOS) / "driver.py"),
            str(tmp_path / name),
            f"plain:{count}",
        ]
        done = subprocess.run(
            command,
            env={**os.environ, "CHAOS_EXECUTOR": text},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=1200,
        )
        found[name] = json.loads(done.stdout)
    print(found)
    assert found["ray"]["runs"] == runs
    assert found["ray"]["peak"] <= 500e6
    assert found["ray"]["wall"] <= 3 * found["local"]["wall"]
