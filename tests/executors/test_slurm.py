"""The Slurm executor on submitit's own executors: array tasks, a time limit, a requeue, and the
batch script that Slurm would be given.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from chaos_grid import a_store, figures, grid

from bench.errors import EnvironmentFault
from bench.executors.configs import executor_config
from bench.executors.slurm_task import ArrayTask, Status, TaskInput, status_of, write
from bench.runs.limits import Limits
from bench.runs.spec import Job, RunSpec

SEEDS = {"walker": 1, "plain": 3, "segfault": 1, "raiser": 1, "liar": 1}


@pytest.fixture(autouse=True)
def submitit():
    return (
        pytest.importorskip("submitit")
        if os.environ.get("BENCH_TEST_EXTRAS") != "required"
        else __import__("submitit")
    )


@pytest.mark.xdist_group("slurm")
def test_array_tasks_give_the_bits_of_the_local_executor_and_a_preempted_one_goes_on_from_its_checkpoint(
    tmp_path, monkeypatch, with_kernels
):
    steps = tmp_path / "steps.txt"
    monkeypatch.setenv("CHAOS_STEPS", str(steps))
    monkeypatch.setenv("BENCH_CACHE", str(with_kernels(tmp_path / "cache")))
    there = grid(
        "slurm[cluster=local,batch=4,cpus=2]", a_store(tmp_path / "slurm"), SEEDS, memory=1 << 30
    )
    asked = threading.Event()

    def preempt():
        while not asked.is_set():
            if steps.exists() and "0:2\n" in steps.read_text():
                batch = next(
                    batch
                    for batch in there.executor.executor._batches
                    if any(job.specs[0].method == "walker" for job in batch.jobs.values())
                )
                batch.handle._interrupt()
                asked.set()
            time.sleep(0.02)

    thread = threading.Thread(target=preempt, daemon=True)
    thread.start()
    records = [
        record for _, record in there.driver.run(there.todo, there.executor, 2, lambda *_: None)
    ]
    thread.join(timeout=5)
    assert asked.is_set()
    assert Counter(record.status for record in records) == {"ok": 5, "crashed": 1, "failed": 1}
    taken = Counter(steps.read_text().split())
    assert set(taken) == {f"0:{step}" for step in range(15)}
    assert taken.total() <= 16  # only the step that was cut off is taken twice
    assert not list((tmp_path / "slurm").rglob("work"))
    # two tasks, one shared path
    assert len(list(tmp_path.glob("cache/artifacts/*/recipe.json"))) == 1
    here = grid("local", a_store(tmp_path / "local"), SEEDS, memory=1 << 30)
    assert figures(records) == figures(
        record for _, record in here.driver.run(here.todo, here.executor, 2, lambda *_: None)
    )


# Without processes -----------------------------------------------------------------


def a_job(identity: str, folder: Path) -> Job:
    spec = RunSpec(
        track="t",
        method="m",
        params={},
        task="k",
        task_params={},
        preset="p",
        variant="v",
        seed=0,
        device="cpu",
    )
    return Job(
        id=identity,
        specs=[spec],
        method=None,
        task=None,
        cache="",
        workdir=str(folder / "work" / identity),
        limits=Limits(wall=60.0),
    )


class Handle:
    """An task of the queue whose fate the test decides."""

    def __init__(self) -> None:
        self.over, self.cancelled = False, False

    def done(self, force_check=False):
        return self.over

    def stderr(self):
        return "what it said"

    def cancel(self, check=True):
        self.over = self.cancelled = True


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """An executor with one task of three jobs, ``a`` and ``b`` at work,
    and what is submitted after it.
    """
    from bench.executors import slurm_executor

    monkeypatch.setattr(slurm_executor, "_SETTLE", -1.0)
    made = executor_config("slurm[cluster=local,tries=2]").executor(range(4), (), lambda _: None)
    monkeypatch.setattr(
        made, "_submit", lambda loads: again.extend(job.id for load in loads for job in load)
    )
    again = []
    batch = slurm_executor._Batch(
        tmp_path, {name: a_job(name, tmp_path) for name in "abc"}, Handle(), time.monotonic()
    )
    made._batches.append(batch)

    def end(state: str, starts: int = 1) -> list[tuple[str, str]]:
        write(
            tmp_path / "status.json",
            Status(state=state, starts=starts, began=time.time(), running=["a", "b"]),
        )
        batch.handle.over = True
        found = [*made._look(batch), *made._look(batch)]
        made._fill(iter(()), False)
        return [(ended.job.id, ended.status, ended.message) for ended in found]

    return end, again, made, batch


def test_a_time_limit_is_told_from_an_error_by_our_own_file_and_what_had_not_begun_runs_again(
    queue,
):
    end, again, _, _ = queue
    assert [(name, status) for name, status, _ in end("timeout", 3)] == [
        ("a", "timeout"),
        ("b", "timeout"),
    ]
    assert again == ["c"]


def test_an_array_task_that_died_is_tried_again_and_then_its_runs_are_crashed(queue):
    end, again, made, batch = queue
    assert end("running") == []
    assert again == ["a", "b", "c"]
    made._batches.append(batch)
    batch.gone = 0.0
    assert [(name, status) for name, status, _ in end("running")] == [
        ("a", "crashed"),
        ("b", "crashed"),
    ]
    assert again[3:] == ["c"]


def test_an_array_task_asked_to_go_says_whether_its_time_was_up(tmp_path):
    for began, state in ((time.time() - 59, "timeout"), (time.time() - 1, "preempted")):
        write(
            tmp_path / "load.json",
            TaskInput(jobs=[], places=1, preload=[], cache="", gpus=False, per_gpu=1, minutes=1.0),
        )
        write(
            tmp_path / "status.json", Status(state="running", starts=1, began=began, running=["a"])
        )
        again = ArrayTask().checkpoint(str(tmp_path))
        assert status_of(tmp_path).state == state
        assert (type(again.function), again.args) == (ArrayTask, (str(tmp_path),))
    # a name, nothing else
    assert b"bench" in msgspec.json.encode(
        {"pickled": __import__("pickle").dumps(ArrayTask()).decode("latin1")}
    )


def test_no_more_is_taken_than_the_window_holds(tmp_path):
    made = executor_config("slurm[cluster=local,batch=3,window=2]").executor(
        range(1000), (), lambda _: None
    )
    submitted = []
    made._submit = lambda loads: (
        submitted.extend(map(len, loads)),
        made._batches.extend(type("B", (), {"jobs": load})() for load in loads),
    )
    taken = []
    jobs = (taken.append(number) or a_job(str(number), tmp_path) for number in range(100_000))
    assert made._fill(jobs, True)
    assert made._fill(jobs, True)
    assert (submitted, len(taken)) == ([3, 3], 6)
    few = executor_config("slurm[cluster=local,cpus=2]").executor(
        range(4), (), lambda _: None
    )  # --jobs 4
    submitted.clear()
    few._submit = lambda loads: submitted.extend(map(len, loads))
    assert few._fill((a_job(str(number), tmp_path) for number in range(1000)), True)
    assert submitted == [8, 8]


def test_the_batch_script_is_what_slurm_is_given(tmp_path, monkeypatch):
    for name, text in {
        "srun": "exit 0",
        "sacct": "exit 0",
        "sbatch": f'cp "$1" {tmp_path}/script.sh; echo Submitted batch job 12',
    }.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    machines = executor_config(
        "slurm[partition=big,gpus=2,cpus=8,account=lab,qos=low,constraint=a100,minutes=30,window=50]"
    )
    made = machines.executor(range(64), ["torch"], lambda _: None)
    job = msgspec.structs.replace(
        a_job("j", tmp_path), limits=Limits(wall=60.0, memory=3 << 30, per_gpu=2)
    )
    made._submit([[job], [job]])
    lines = (tmp_path / "script.sh").read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    assert {
        line.removeprefix("#SBATCH --")
        for line in lines
        if line.startswith("#SBATCH") and "/work/" not in line
    } == {
        "account=lab",
        "array=0-1%2",
        "constraint=a100",
        "cpus-per-task=8",
        "gpus-per-node=2",
        "job-name=bench",
        "mem=26GB",
        "nodes=1",
        "open-mode=append",
        "partition=big",
        "qos=low",
        "requeue",
        "signal=USR2@90",
        "time=30",
        "wckey=submitit",
    }
    assert any("-m submitit.core._submit" in line for line in lines)
    assert len(list((tmp_path / "work").glob("slurm-*/*/load.json"))) == 2


def test_keys_are_made_for_a_node_of_slurm_which_is_asked_once(tmp_path, monkeypatch):
    from bench.executors import slurm_executor
    from bench.executors.slurm_task import EnvironmentQuery
    from bench.runs import provenance

    asked = []

    class Submitter:
        def submit(self, function, file, device):
            assert isinstance(function, EnvironmentQuery)
            asked.append(device)
            write(Path(file), {**provenance.inventory(device), "cpu": "another"})

    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(slurm_executor.Slurm, "submitter", lambda *_: Submitter())
    machines = executor_config("slurm[partition=x]")
    for libraries in (["scipy", "sklearn"], ["no_such_library"]):
        assert machines.environment("cpu", libraries) == {
            **provenance.environment("cpu", libraries),
            "cpu": "another",
        }
    assert asked == ["cpu"]


def test_without_slurm_the_command_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        EnvironmentFault,
        match=r"Slurm can't be used here \(.*\); start bench on a login node, or try "
        r"slurm\[cluster=local\]",
    ):
        executor_config("slurm").submitter(tmp_path, 5, None)
