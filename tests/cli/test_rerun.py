"""The printed "See it again": pasted into a shell it runs the same cell,
within the same limits; what is kept names no folder.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = '''
import time
from typing import Annotated, Any, ClassVar

from bench import Case, Dataset, DatasetCard, Meta, Method, MethodCard, Metric, Preset, Reference, Score, Task, TaskCard


class Sad(Method):
    """Fails in the ways that it is told."""

    card: ClassVar = MethodCard(name="sad", title="S", track="sorrow", tuning={"level": (1, 2)})
    need: str
    words: str = "no"
    level: int = 0
    many: tuple[float, ...] = (1.0, 2.0)

    def solve(self, problem, run):
        if self.words == "sleep":
            time.sleep(20)
        if self.words == "eat":
            bytearray(1 << 30)
        if problem == "trial":
            return float(self.level)
        raise ValueError(f"{self.words} {self.need} {problem}")


class Sorrow(Task):
    """Takes a number."""

    card: ClassVar = TaskCard(
        name="vale", title="V", track="sorrow", datasets=("tears",), tuning={"held": True},
        metrics=(Metric(name="got", direction="max", primary=True), Metric(name="val", direction="max", validation=True)),
        presets={"smoke": Preset(variants={"plain": {}}, seeds=1, timeout=60)},
        references=(Reference(name="sigh", kind="high", solve="sigh"),),
    )
    text: str = "x"
    held: bool = False

    def prepare(self, run):
        run.dataset("tears")
        return Case(problems=["trial" if self.held else self.text], hidden=None)

    def evaluate(self, case, outcomes, run):
        return Score(metrics={"got": outcomes[0].solution, "val": outcomes[0].solution})

    def sigh(self, problem, hidden, run):
        raise ValueError("the reference fails too")
'''
DATA = '''
from typing import ClassVar

from bench import Dataset, DatasetCard


class Tears(Dataset):
    """Nothing."""

    card: ClassVar = DatasetCard(name="tears", title="T", source="here", size="none", had="generated", licence="CC0")

    def load(self, run):
        return 0
'''
NAMES = {
    "blanks and quotes": "my 'own' $HOME",
    "é": "é!",
    "not UTF-8": os.fsdecode(b"b\xe9"),
    "a line end": "a\nb",
}
WAYS = {
    "text with quotes, commas, bars and a dollar": (
        ("--method", 'sad[need="it\'s | $(x), [y]",words="5"]'),
        "5 it's | $(x), [y] x",
    ),
    "a tuple and a number": (("--method", "sad[need=a,many=(1,0.5),level=3]"), "no a x"),
    "an inline parameter of the task": (
        ("--method", "sad[need=é]", "--task", 'vale[text="it\'s \\"é\\", or"]'),
        'no é it\'s "é", or',
    ),
    "a reference": (
        (
            "--method",
            "sigh",
        ),
        "the reference fails too",
    ),
    "another seed": (("--method", "sad[need=a]", "--seeds", "7-7"), "no a x"),
    "limits of its own": (
        ("--method", "sad[need=a]", "--timeout", "7.5", "--cpu-time", "9"),
        "no a x",
    ),
    "a tuned row": (("--method", "sad[need=a]", "--tune", "3"), "no a x"),
}


def shell_words(line: str) -> list[str]:
    """Return the words that a shell makes of a pasted line."""
    said = subprocess.run(
        ["bash", "-c", os.fsencode(f"printf '%s\\0' {line}")],
        capture_output=True,
        check=True,
        env={"HOME": "/wrong", "PATH": os.environ["PATH"]},
    )
    return [os.fsdecode(word) for word in said.stdout.split(b"\0")[:-1]]


def printed(err: str) -> str:
    return re.search(r"See it again: (bench run .*)", err)[1]


@pytest.fixture
def folder(tmp_path, monkeypatch, request):
    """A folder whose name is hard to quote, with a plugin of two files, as the working folder."""
    home = tmp_path / getattr(request, "param", "plain")
    for room, name, text in (("tasks", "sorrow", PLUGIN), ("datasets", "tears", DATA)):
        (home / "plug in" / room).mkdir(parents=True)
        (home / "plug in" / room / f"{name}.py").write_text(text, encoding="utf-8")
    (home / "plug in" / "methods").mkdir()
    (home / "plug in" / "tasks" / "sorrow.py").rename(home / "plug in" / "methods" / "sorrow.py")
    (home / "one.py").write_text(PLUGIN, encoding="utf-8")
    return home


@pytest.fixture
def vale(folder):
    """The plugin as single files."""
    (folder / "data.py").write_text(DATA, encoding="utf-8")
    return folder


RUN = (
    "run",
    "--preset",
    "smoke",
    "--track",
    "sorrow",
    "--executor",
    "inline",
    "--device",
    "cpu",
    "--quiet",
)


def records(results: Path) -> list[dict]:
    return sorted(
        (json.loads(path.read_text()) for path in results.rglob("records/*/*.json")),
        key=lambda record: record["attempt"],
    )


@pytest.mark.parametrize("folder", NAMES.values(), ids=NAMES, indirect=True)
def test_the_printed_command_works_from_another_folder_whatever_the_plugins_folder_is_called(
    bench, vale, monkeypatch, tmp_path
):
    monkeypatch.chdir(vale)
    first = bench(
        *RUN,
        "--method",
        "sad[need=a]",
        "--plugins",
        "one.py",
        "--plugins",
        "data.py",
        "--results",
        "my results",
    )
    assert first.code == 1
    words = shell_words(printed(first.err))
    monkeypatch.chdir(tmp_path)
    again = bench(*words[1:])
    assert (again.code, "ValueError: no a x" in again.err) == (1, True), again.err
    found = records(vale / "my results")
    assert [record["attempt"] for record in found] == [1, 2]
    assert len({record["key"] for record in found}) == 1


@pytest.mark.parametrize("way", WAYS)
def test_the_printed_command_runs_the_same_cell(bench, vale, way):
    options, message = WAYS[way]
    plugins = ("--plugins", vale / "one.py", "--plugins", vale / "data.py")
    first = bench(*RUN, *options, *plugins)
    assert first.code == 1, first.err
    assert message in first.err
    words = shell_words(printed(first.err))
    assert [option for option in ("--timeout", "7.5", "--cpu-time", "9") if option in options] == [
        word for word in words if word in ("--timeout", "7.5", "--cpu-time", "9")
    ]
    again = bench(*words[1:])
    assert (again.code, message in again.err) == (1, True), again.err
    failed = [record for record in records(bench.results) if record["status"] == "failed"]
    assert len(failed) == 2
    shared = ("method", "params", "task", "task_params", "variant", "seed", "device", "cell", "key")
    assert {name: failed[0][name] for name in shared} == {name: failed[1][name] for name in shared}


def test_a_kept_command_names_plugins_and_no_folder(bench, vale, tmp_path):
    bench(
        *RUN,
        "--method",
        "sad[need=a]",
        "--plugins",
        vale / "one.py",
        "--plugins",
        vale / "data.py",
        "--results",
        tmp_path / "far",
        "--timeout",
        "7.5",
    )
    record = records(tmp_path / "far")[0]
    assert record["error"]["rerun"] == (
        "bench run --method 'sorrow/sad[need=a]' --task sorrow/vale --preset smoke --variant plain "
        "--seeds 0-0 --device cpu --plugins one.py --plugins data.py --timeout 7.5"
    )
    assert record["provenance"]["method_source"] == "one.py"
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "status", "words"),
    [
        (
            ("--timeout", "1.5", "--cpu-time", "9"),
            "timeout",
            ["--timeout", "1.5", "--cpu-time", "9"],
        ),
        (("--memory", "200MiB"), "oom", ["--memory", str(200 << 20)]),
    ],
)
def test_the_printed_command_has_the_limits_and_works_when_it_is_pasted(
    vale, shared_cache, limits, status, words
):
    environment = {
        **os.environ,
        "BENCH_CACHE": str(shared_cache),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    call = "sleep" if status == "timeout" else "eat"
    command = [
        "bench",
        "run",
        "--preset",
        "smoke",
        "--method",
        f"sad[need=a,words={call}]",
        "--task",
        "vale",
        "--device",
        "cpu",
        "--quiet",
    ]
    plugins = ["--plugins", "one.py", "--plugins", "data.py"]
    done = subprocess.run(
        [*command, *plugins, *limits],
        capture_output=True,
        text=True,
        check=False,
        cwd=vale,
        env=environment,
    )
    line = printed(done.stderr)
    found = shell_words(line)
    start = found.index(words[0])
    assert found[start : start + len(words)] == words
    subprocess.run(
        ["bash", "-c", line], capture_output=True, check=False, cwd=vale, env=environment
    )
    assert [(record["status"], record["attempt"]) for record in records(vale / "results")] == [
        (status, 1),
        (status, 2),
    ]


def test_a_plugin_that_is_named_twice_is_one_plugin(bench, vale, monkeypatch):
    monkeypatch.chdir(vale)
    monkeypatch.setenv("BENCH_PLUGINS", "one.py")
    found = bench(
        "list", "--track", "sorrow", "--json", "--plugins", vale / "one.py", "--plugins", "./one.py"
    )
    document = json.loads(found.out)
    assert [row["status"] for row in document["methods"] if row["kind"] == "method"] == ["ok"]
    assert document["broken"] == []


def test_rooms_in_a_folder_are_named_as_the_folder(bench, folder):
    first = bench(
        *RUN, "--method", "sigh", "--plugins", folder / "plug in", "--plugins", folder / "one.py"
    )
    assert first.code in (1, 4)
    only = bench(
        *RUN,
        "--task",
        "vale",
        "--plugins",
        folder / "one.py",
        "--plugins",
        folder / "plug in" / "datasets" / "tears.py",
        "--method",
        "sigh",
    )
    words = shell_words(printed(only.err))
    assert [words[position + 1] for position, word in enumerate(words) if word == "--plugins"] == [
        str(folder / "one.py"),
        str(folder / "plug in" / "datasets" / "tears.py"),
    ]
