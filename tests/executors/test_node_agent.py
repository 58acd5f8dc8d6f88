"""A node agent without a cluster: what travels to another machine and back,
and what comes of a machine that is not alike.
"""

from __future__ import annotations

import sys
import zipfile
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from bench.errors import EnvironmentFault, UsageError
from bench.executors import Ended, Origin, payload
from bench.executors.configs import ExecutorConfig, executor_config
from bench.executors.node_agent import NodeAgent, ended_of, read_messages
from bench.executors.payload import pack, targets, unpack
from bench.plugins.index import Index
from bench.runs.driver import Driver
from bench.runs.plan import Request, make_plan
from bench.runs.result import Result
from bench.runs.spec import run_key

PRELOAD = ["torch", "bench.runs.run_job", "bench.training.state", "safetensors.torch"]


class Afar:
    """Gives jobs to an agent that sees nothing of the driver's folders."""

    enforces_limits = True

    def __init__(self, agent: NodeAgent) -> None:
        self.agent, self.seen = agent, []

    def run(self, jobs, notice):
        for job in jobs:
            Path(job.workdir, "job.json").unlink()
            roots = {target.root for target in targets(job) if target.root}
            packs = {root: pack(root, targets(job), Index()) for root in roots}
            for root, data in packs.items():
                self.agent.plugin(f"of-{len(data)}", data)
                self.seen.append(root)
            self.agent.start(
                msgspec.json.encode(job), {root: f"of-{len(data)}" for root, data in packs.items()}
            )
            ended = None
            while ended is None:
                for said in read_messages(self.agent.hear(1.0)):
                    assert not said.broken
                    if said.ended:
                        ended = ended_of(said, job)
            yield ended


def test_a_machine_without_the_plugins_files_runs_them_and_its_arrays_come_back(
    tmp_path, mock_folder, run_plan, make_registry
):
    asked = {
        "methods": ("rows", "means"),
        "tasks": ("few-points",),
        "preset": "smoke",
        "seeds": "1",
    }
    here = run_plan(executor="inline", results=tmp_path / "here", **asked)
    registry, store = make_registry(), here.store.__class__(tmp_path / "afar")
    store.open_for_writing()
    driver = Driver(registry, store)
    todo = driver.split(make_plan(Request(**asked), registry))[1]
    agent = NodeAgent(1, PRELOAD)
    try:
        afar = Afar(agent)
        records = [record for _, record in driver.run(todo, afar, 1, lambda *_: None)]
    finally:
        agent.stop()
    assert driver.notes == []
    assert set(afar.seen) == {mock_folder}

    def told(found, root):
        return {
            (
                item.method,
                item.key,
                item.status,
                str(item.metrics),
                *(((root / "files" / item.id / item.arrays).read_bytes(),) if item.arrays else ()),
            )
            for item in found
        }

    assert told(records, tmp_path / "afar") == told(here.records, tmp_path / "here")
    assert any(record.arrays for record in records)
    assert records[0].provenance["limits"]["memory"] > 1 << 30  # an even share of the machine's
    assert not (tmp_path / "afar" / "work").exists()


@pytest.fixture
def make_registry(mock_folder):
    from bench.plugins.registry import Registry

    return lambda: Registry(paths=[mock_folder])


class Elsewhere:
    """A machine of another processor, as an executor."""

    enforces_limits = False

    def __init__(self, **changed) -> None:
        self.changed = changed

    def run(self, jobs, notice):
        for job in jobs:
            origin = Origin(
                files=self.changed["files"],
                environment={**self.changed["environment"], "cpu": "other"},
                machine={"cpu": "Other 9000"},
            )
            yield Ended(
                job=job,
                results=[Result(status="ok", metrics={"rmse": 1.0}) for _ in job.specs],
                origin=origin,
            )


def test_a_machine_of_another_kind_makes_a_key_of_its_own_and_the_user_is_told(
    tmp_path, make_registry
):
    from bench.runs.store import Store

    registry, store = make_registry(), Store(tmp_path)
    store.open_for_writing()
    driver = Driver(registry, store)
    plan = make_plan(
        Request(methods=("constant",), tasks=("line",), preset="smoke", seeds="2"), registry
    )
    todo = driver.split(plan)[1]
    records = [
        record
        for _, record in driver.run(todo, Elsewhere(**todo[0].ingredients), 1, lambda *_: None)
    ]
    for keyed, record in zip(
        sorted(todo, key=lambda item: item.cell.spec.seed),
        sorted(records, key=lambda item: item.seed),
        strict=True,
    ):
        environment = {**keyed.ingredients["environment"], "cpu": "other"}
        assert (
            record.key
            == run_key(
                keyed.cell.spec, sorted(set(keyed.ingredients["files"].values())), environment
            )
            != keyed.key
        )
        assert (record.cell, record.provenance["cpu_class"], record.provenance["cpu"]) == (
            keyed.cell.spec.cell,
            "other",
            "Other 9000",
        )
    assert len(driver.notes) == 1
    assert "differs from the one that keys are made for in cpu" in driver.notes[0]
    done, again = Driver(registry, store).split(plan)
    # what is here is not taken for what was asked
    assert (done, {keyed.key for keyed in again}) == ([], {keyed.key for keyed in todo})


# Luggage ---------------------------------------------------------------------------


def test_a_plugin_is_packed_with_its_rooms_and_the_same_files_give_the_same_bytes(
    tmp_path, make_registry, mock_folder
):
    wanted = [make_registry().get("task", "mock-regression/line").target]
    data = pack(mock_folder, wanted, Index())
    assert data == pack(mock_folder, wanted, Index())
    names = set(zipfile.ZipFile(BytesIO(data)).namelist())
    # reached, and the rooms
    assert {
        "contracts.py",
        "tasks/regression/line.py",
        "methods/regression/fits.py",
        "datasets/blobs.py",
    } <= names
    assert not [name for name in names if "__pycache__" in name]
    home = unpack(data, tmp_path / "plugins" / "x")
    assert (home / "contracts.py").read_bytes() == Path(mock_folder, "contracts.py").read_bytes()
    assert unpack(b"not read", tmp_path / "plugins" / "x") == home


def test_a_plugin_that_is_too_large_to_send_is_refused(make_registry, mock_folder, monkeypatch):
    monkeypatch.setattr(payload, "_LARGEST", 1000)
    with pytest.raises(UsageError, match="too much to send to every node; keep its data elsewhere"):
        pack(mock_folder, [], Index())


def test_files_that_come_back_under_names_that_are_paths_are_not_written(tmp_path):
    result = Result(status="ok", arrays="../escaped", images={"a": "image-0.png"})
    found = payload.put(
        result, {"../escaped": b"x", "image-0.png": b"y", "unnamed": b"z"}, tmp_path / "files"
    )
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["image-0.png"]
    assert found.files == str(tmp_path / "files")


# Names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "rai",
            r"unknown executor 'rai' \(from --executor\). Did you mean 'ray'\? The executors are "
            r"local, inline, ray, slurm.",
        ),
        ("local[cores=2]", "local has no parameter 'cores'. It has no parameters."),
        ("ray[adress=auto]", "ray has no parameter 'adress'. Did you mean 'address'?"),
        ("ray[cpus=0]", "ray got cpus=0; cpus takes a number above 0."),
        (
            "slurm[gpus=1|2]",
            r"slurm got gpus=1\|2; a command runs on one executor, so give one value.",
        ),
        (
            "slurm[cluster=cloud]",
            "slurm got cluster=cloud; cluster takes a word out of slurm, local, debug.",
        ),
        ("ray[address", "has no closing bracket"),
    ],
)
def test_a_wrong_executor_is_one_sentence(text, sentence):
    with pytest.raises(UsageError, match=sentence):
        executor_config(text)


def test_executors_take_parameters_as_methods_do():
    assert executor_config("ray[address=10.0.0.1:6379,cpus=.5]").values() == {
        "address": "10.0.0.1:6379",
        "cpus": 0.5,
        "per_node": None,
        "tries": 3,
    }
    assert (
        executor_config("slurm[partition=gpu-a100,gpus=1]").values()
        | {"partition": "gpu-a100", "gpus": 1}
        == executor_config("slurm[partition=gpu-a100,gpus=1]").values()
    )
    assert isinstance(executor_config("local"), ExecutorConfig)


@pytest.mark.parametrize(
    ("options", "resources", "device", "per_gpu", "memory", "runs"),
    [
        ("ray", {"CPU": 8.0}, "cpu", 1, None, 8),
        ("ray[cpus=2.5]", {"CPU": 8.0}, "cpu", 1, None, 3),
        ("ray", {"CPU": 8.0, "GPU": 2.0}, "cuda", 1, None, 2),
        ("ray", {"CPU": 8.0, "GPU": 2.0}, "cuda", 3, None, 6),
        ("ray", {"CPU": 8.0}, "cuda", 1, None, 0),
        ("ray", {"CPU": 8.0, "memory": 10.0 * 2**30}, "cpu", 1, 3 << 30, 3),
        ("ray[per_node=2]", {"CPU": 8.0}, "cpu", 1, None, 2),
        ("ray", {}, "cpu", 1, None, 0),
    ],
)
def test_a_node_has_room_for_what_it_offers(options, resources, device, per_gpu, memory, runs):
    assert executor_config(options).room(resources, device, per_gpu, memory) == runs


# Elsewhere, as the command line meets it --------------------------------------------


def test_runs_elsewhere_are_always_limited_and_by_default_to_an_even_share_of_the_machine():
    from bench.cli._where import Where, limits_of

    assert limits_of(Where(), executor_config("ray"), 4).memory is None  # the agent says
    assert limits_of(Where(), executor_config("local"), 4).memory >= 1 << 30
    assert limits_of(Where(memory="none"), executor_config("local"), 4).memory is None
    with pytest.raises(
        UsageError,
        match="--memory got 'none', but runs on other machines are always limited; give a size",
    ):
        limits_of(Where(memory="none"), executor_config("ray"), 4)


def test_slurm_gives_gpus_to_those_who_ask_for_them():
    assert [executor_config(text).device("auto") for text in ("slurm", "slurm[gpus=1]")] == [
        "cpu",
        "cuda",
    ]
    with pytest.raises(
        UsageError, match=r"--device cuda needs GPUs from Slurm; give slurm\[gpus=1\]"
    ):
        executor_config("slurm").device("cuda")


def test_an_executor_whose_library_is_not_there_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        EnvironmentFault,
        match=r"--executor ray needs the library 'ray' .*run 'pip install "
        r"datacentric-bench\[ray\]'",
    ):
        executor_config("ray").device("cuda")


def test_an_address_where_nobody_answers_is_said_at_once():
    pytest.importorskip("ray")
    with pytest.raises(
        EnvironmentFault,
        match=r"no Ray cluster answers at '127.0.0.1:9' \(.*\); start one with 'ray start --head'",
    ):
        executor_config("ray[address=127.0.0.1:9]").device("cuda")
