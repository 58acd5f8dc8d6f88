"""The parts of the local executor by themselves: families of processes,
what a run may say, places on GPUs, signals.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time

import msgspec
import pytest

from bench.errors import ParameterError
from bench.executors import interrupts, processes
from bench.executors.child import confine
from bench.executors.connection import PINNED
from bench.executors.interrupts import Interrupts
from bench.executors.job_process import JobProcess
from bench.executors.local import _ended, _Running
from bench.executors.processes import Process, families
from bench.executors.slots import Slots, environment, of_one_model
from bench.runs.limits import Limits
from bench.runs.spec import Job, RunSpec


def a_job(runs: int = 1, **limits) -> Job:
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
        id="job",
        specs=[spec] * runs,
        method=None,
        task=None,
        cache="",
        workdir="",
        limits=Limits(**limits),
    )


def a_process(
    pid: int, parent: int, session: int = 1, cpu: float = 0.0, resident: int = 0, dead: bool = False
) -> Process:
    return Process(pid, parent, session, cpu, resident, 0, dead)


# Families ------------------------------------------------------------------------


def test_a_family_is_what_descends_from_the_run_or_shares_its_session_and_the_rest_below_the_server_are_strays():
    server, run, other = 10, 20, 30
    found = [
        a_process(server, 1),
        a_process(run, server, session=run),
        a_process(21, run, session=run),
        a_process(22, 21, session=22),  # it left the session, but its parent lives
        a_process(23, server, session=run),  # its parent died
        a_process(24, server, session=24),  # it left the session and its parent died
        a_process(25, 24, session=24),
        a_process(other, server, session=other),
        a_process(31, other, session=other, dead=True),
        a_process(40, 1, session=run),  # not below the server: not ours
    ]
    members, strays = families({process.pid: process for process in found}, server, {run, other})
    assert {process.pid for process in members[run]} == {20, 21, 22, 23}
    assert {process.pid for process in members[other]} == {30}
    assert {process.pid for process in strays} == {24, 25}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_table_shows_a_child_its_parent_and_whether_it_has_ended():
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    )
    found = processes.table()[child.pid]
    assert (found.parent, found.session, found.dead) == (os.getpid(), child.pid, False)
    assert processes.held(os.getpid()) > 1 << 20
    child.kill()
    while not processes.table()[child.pid].dead:
        time.sleep(0.01)
    child.communicate()
    assert child.pid not in processes.table()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_descends_from_a_process_is_found_also_what_a_thread_started():
    tree = (
        "import subprocess, sys, threading\n"
        "def start(): subprocess.run(['sleep', '60'])\n"
        "threads = [threading.Thread(target=start) for _ in range(2)]\n"
        "[thread.start() for thread in threads]\n"
        "subprocess.Popen([sys.executable, '-c', 'import os; os.fork(); os.read(0, 1)'])\n"
        "[thread.join() for thread in threads]\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", tree], start_new_session=True, stdin=subprocess.PIPE
    ) as top:
        try:
            for _ in range(600):
                found = processes.descendants(os.getpid())
                members = [pid for pid in found if found[pid].session == top.pid]
                if len(members) == 5:  # itself, two sleeps, the fork and what it forked
                    break
                time.sleep(0.05)
            everything = processes.table()
            known = {os.getpid()}
            while more := {
                pid for pid, each in everything.items() if each.parent in known and pid not in known
            }:
                known |= more
            assert len(members) == 5
            assert set(members) <= known
            assert {pid for pid in found if found[pid].parent == top.pid} == {
                pid for pid in everything if everything[pid].parent == top.pid
            }
        finally:
            os.killpg(top.pid, signal.SIGKILL)


def test_what_a_dead_driver_left_is_buried_and_a_living_ones_servers_are_not():
    def server_of(owner: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
            stdout=subprocess.PIPE,
            env={**os.environ, processes.OWNER: owner},
        )
        process.stdout.readline()
        return process

    name = processes.name_of_owner()
    space = name.split(".")[2]
    # one of another container, one of nobody
    living = [server_of(f"{name}.7"), server_of("999999999.1.5.0"), server_of("nonsense")]
    dead = [server_of(f"999999999.1.{space}.0"), server_of(f"{os.getpid()}.1.{space}.0")]
    processes.bury()
    assert [process.wait(timeout=5) for process in dead] == [-signal.SIGKILL] * 2
    assert [process.poll() for process in living] == [None] * 3
    processes.bury(f"{name}.7")
    assert living[0].wait(timeout=5) == -signal.SIGKILL
    for process in (*dead, *living):
        process.kill()
        process.communicate()


# What a run says --------------------------------------------------------------------


def test_a_run_is_heard_in_pieces_and_nothing_but_progress_and_results_is():
    run = JobProcess(a_job(), 1, 3, 4)
    assert run.hear(b'{"progress": 0.5, "label": "x"}\n{"resu') == [{"id": "job", "progress": 0.5}]
    said = run.hear(
        (
            b'lts": [1, 2]}\n{"exit": 0}\n{"id": "other", "progress": '
            b'1}\ngarbage\n\xff\n[1]\n{"progress": "no"}\n'
        )
        + b'{"results":'
        + b"[" * 100_000
        + b"\n"
    )
    assert msgspec.json.decode(msgspec.json.encode(said)) == [
        {"id": "job", "results": [1, 2]},
        {"id": "job", "progress": 1.0},
    ]


def test_the_beginning_and_the_end_of_what_a_run_prints_are_kept():
    run = JobProcess(a_job(), 1, 3, 4)
    run.note(b"first\n")
    for _ in range(100):
        run.note(b"blah\n" * 10_000)
    run.note(b"last\n")
    log = run.log()
    assert log.startswith("first\n")
    assert log.endswith("blah\nlast\n")
    assert f"... {5_000_011 - 2 * 8192} bytes left out ..." in log
    assert len(log) < 17_000


def test_a_family_over_a_limit_is_told_by_which():
    now = time.monotonic()
    family = [a_process(5, 1, cpu=2.0, resident=1000), a_process(6, 5, cpu=2.0, resident=1000)]
    over = [
        JobProcess(a_job(**limits), 1, 3, 4).over(now + 10, family, (500, 0))
        for limits in ({}, {"wall": 20.0}, {"wall": 9.0}, {"cpu": 5.0}, {"cpu": 3.0})
    ]
    assert over == ["", "", "wall", "", "cpu"]
    # a stack of two has twice the time
    assert JobProcess(a_job(2, wall=9.0, cpu=3.0), 1, 3, 4).over(now + 10, family, (500, 0)) == ""
    assert JobProcess(a_job(), 1, 3, 4).over(now, family * 200, (0, 0)) == "processes"


@pytest.mark.parametrize(
    ("code", "cause", "log", "status", "words"),
    [
        (-9, "wall", "", "timeout", "it ran longer than its limit of 4 s"),
        (-9, "cpu", "", "timeout", "processor time than its limit of 6 s"),
        (
            -9,
            "memory",
            "",
            "oom",
            "more memory than its limit of 1 MiB beyond the start and was killed",
        ),
        (-9, "", "", "oom", "killed from outside, most likely by the system for want of memory"),
        (-9, "asked", "", "interrupted", "cut off when the command was interrupted"),
        (-9, "answered", "", "crashed", "a result that can't be read"),
        (71, "", "", "oom", "it wanted more memory than its limit of 1 MiB"),
        (
            -6,
            "",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "oom",
            "it wanted more memory",
        ),
        (-6, "", "", "crashed", "abort"),
        (-24, "", "", "timeout", "its limit of processor time"),
        (-11, "", "", "crashed", "segmentation fault"),
        (0, "", "", "crashed", "exit code 0 and no result"),
    ],
)
def test_how_a_process_ended_gives_the_status_and_the_reason(code, cause, log, status, words):
    found = _ended(_Running(a_job(2, wall=2.0, cpu=3.0, memory=1 << 20), "", 0.0), code, cause, log)
    assert found.status == status
    assert words in found.message


def test_the_kernel_is_told_the_limits_of_a_process():
    code = (
        "import resource; print(*(resource.getrlimit(item) for item in (resource.RLIMIT_CORE, "
        "resource.RLIMIT_CPU)), resource.getrlimit(resource.RLIMIT_DATA)[1] > 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: confine(Limits(cpu=2.5, memory=1 << 30), 2, "cpu"),
    )
    assert done.stdout.split(" (")[0] == "(0, 0)"
    # five seconds for two runs, and five more: the server comes first
    assert "(10, 11) True" in done.stdout


# Places --------------------------------------------------------------------------------


def test_runs_are_spread_over_gpus_and_each_sees_its_own_alone():
    slots = Slots(3, ("0", "GPU-abc"), per_gpu=2)
    places = [slots.take() for _ in range(4)]
    assert places == ["0", "GPU-abc", "0", None]
    slots.give_back("GPU-abc")
    assert slots.take() == "GPU-abc"
    assert environment("GPU-abc") == {"CUDA_VISIBLE_DEVICES": "GPU-abc"}


def test_one_run_a_gpu_is_the_rule_and_a_run_on_a_cpu_sees_none():
    slots = Slots(8, ("0", "1"))
    assert [slots.take() for _ in range(3)] == ["0", "1", None]
    cpu = Slots(2)
    assert [environment(cpu.take()) for _ in range(2)] == [{"CUDA_VISIBLE_DEVICES": ""}] * 2
    assert cpu.take() is None


def test_gpus_are_those_this_process_may_see_of_the_first_ones_model():
    big, small = ["big", [9, 0]], ["small", [8, 6]]
    assert of_one_model([big, small, big], None) == ("0", "2")
    assert of_one_model([big, big], "5, GPU-abc") == ("5", "GPU-abc")
    assert of_one_model([], None) == ()


# Memory -----------------------------------------------------------------------------------

REPEATED = """
import resource
bytearray(96 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    bytearray(96 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the variables are glibc's")
def test_memory_of_a_large_tensor_is_used_again_and_not_asked_for_anew():
    done = subprocess.run(
        [sys.executable, "-c", REPEATED],
        env={**os.environ, **PINNED},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 1000


# Signals ----------------------------------------------------------------------------------


@pytest.fixture
def heard():
    """Have Ctrl-C heard, as in a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_one_signal_asks_to_stop_a_second_hurries_and_a_third_raises(monkeypatch):
    monkeypatch.setattr(interrupts, "GRACE", 0.05)
    said = []
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts(said.append) as found:
        assert (found.asked, found.due) == (False, False)
        os.kill(os.getpid(), signal.SIGTERM)
        # not from within the handler, which may have come into the middle of a write
        assert said == []
        assert (found.asked, found.due) == (True, False)
        time.sleep(0.06)
        assert found.due
        os.kill(os.getpid(), signal.SIGINT)
        assert found.due
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert len(said) == 1
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("heard")
def test_a_second_signal_needs_no_patience():
    with Interrupts(lambda _: None) as found:
        os.kill(os.getpid(), signal.SIGINT)
        assert not found.due
        os.kill(os.getpid(), signal.SIGINT)
        assert found.due


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts(lambda _: None) as found:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not found.asked
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("limit", ["wall", "cpu", "memory", "gpu_memory", "per_gpu"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0, -1])
def test_a_limit_that_nothing_ever_exceeds_is_refused_however_it_is_made(limit, value):
    with pytest.raises(
        ParameterError, match=f"the limit {limit} is {value}; give a finite number above 0"
    ):
        Limits(**{limit: value})
    with pytest.raises(ParameterError):
        msgspec.structs.replace(Limits(), **{limit: value})
