"""How quick the board of a large benchmark is: 60 methods, 40 tasks, 10 seeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
schema_version = 1
name = "large"
device = "cpu"
seeds = {seeds}
delta = 0.02
[tracks.demo]
title = "Demo"
low = "null"
high = "oracle"
{tasks}
"""
TASK = (
    '[[tracks.demo.tasks]]\ntask = "{name}"\nvariants = ["only"]\nchance = 10.0\nseconds = 6000\n'
)
PLUGIN = '''
from typing import Any, ClassVar
from bench import MethodCard
from bench.contracts import Method

class {cls}(Method):
    """A method that has run elsewhere."""
    card: ClassVar = MethodCard(name="{name}", title="A method of the large benchmark", track="demo", paper="arXiv:2007.00151", claim="It is the best.")

    def solve(self, problem: Any, run: Any) -> Any:
        raise NotImplementedError
'''
TASK_PLUGIN = '''
from typing import ClassVar
from bench import TaskCard, Metric, Preset, Reference
from bench.contracts import Task

class {cls}(Task):
    """A task that has run elsewhere."""
    card: ClassVar = TaskCard(
        name="{name}", title="A task of the large benchmark", track="demo",
        metrics=(Metric(name="acc", primary=True, unit="%", bounds=(0.0, 100.0)),),
        presets={{"default": Preset(variants={{"only": {{}}}}, seeds=10)}},
        references=(Reference(name="null", kind="low"), Reference(name="oracle", kind="high", solve="peek")),
    )
'''
CALL = """
import resource, sys, time
from bench.cli import main
start = time.process_time()
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


def large(folder: Path, methods: int, tasks: int, seeds: int, curves: int = 40) -> None:
    """Write a private benchmark and the records of all of it, as one export."""
    from board_toy import whole_suite

    from bench.builtin.leaderboard import _suite
    from bench.cards import Metric, Preset, TaskCard
    from bench.runs.record import encode_record

    names = [f"task-{place:02d}" for place in range(tasks)]
    (folder / "lab" / "leaderboard").mkdir(parents=True)
    path = folder / "lab" / "leaderboard" / "suite-large.toml"
    path.write_text(
        SUITE.format(seeds=seeds, tasks="".join(TASK.format(name=name) for name in names))
    )
    for room, template, held in (
        ("methods", PLUGIN, ["null", *(f"method-{place:02d}" for place in range(methods - 2))]),
        ("tasks", TASK_PLUGIN, names),
    ):
        (folder / "lab" / room / "demo").mkdir(parents=True)
        for name in held:
            (folder / "lab" / room / "demo" / f"{name.replace('-', '_')}.py").write_text(
                template.format(cls=name.title().replace("-", ""), name=name)
            )
    cards = {
        f"demo/{name}": TaskCard(
            name=name,
            title=name,
            track="demo",
            metrics=(Metric(name="acc", primary=True, unit="%", bounds=(0.0, 100.0)),),
            presets={"default": Preset(variants={"only": {}})},
        )
        for name in names
    }
    records = whole_suite(
        _suite.read_suite(path),
        cards,
        {"demo": ["null", *(f"method-{place:02d}" for place in range(methods - 2))]},
        curves=curves,
    )
    assert len(records) == methods * tasks * seeds
    (folder / "results").mkdir()
    with (folder / "results" / "all.jsonl").open("wb") as file:
        for record in records:
            file.write(encode_record(record).replace(b"\n", b"") + b"\n")


def call(folder: Path, *arguments: str) -> tuple[float, int]:
    """Run ``bench leaderboard`` in a process of its own; return its
    processor time in seconds and its peak memory in MiB.
    """
    command = [
        sys.executable,
        "-c",
        CALL,
        "leaderboard",
        "--results",
        str(folder / "results"),
        "--plugins",
        str(folder / "lab"),
        "--suite",
        "large",
        *arguments,
    ]
    done = subprocess.run([*command, "--no-stale"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    seconds, memory = done.stderr.strip().splitlines()[-1].split()
    return float(seconds), int(memory)


@pytest.mark.slow
def test_sixty_methods_on_forty_tasks_with_ten_seeds(tmp_path, monkeypatch):
    pytest.importorskip("altair")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    large(tmp_path, 60, 40, 10)
    out = str(tmp_path / "out")
    text, memory = call(tmp_path, "--out", out, "--no-page")
    page, more = call(tmp_path, "--out", out)
    again, least = call(tmp_path, "--out", out)
    track = next((tmp_path / "out" / "tracks").glob("*.html"))
    size = track.stat().st_size / 2**20
    sys.stderr.write(
        f"\nMarkdown and JSON {text:.1f} s, page {page:.1f} s more, again {again:.1f} s; the "
        f"track's page {size:.2f} MB; {max(memory, more, least)} MiB\n"
    )
    assert text <= 30
    assert page <= 20
    assert again <= 3
    assert size <= 0.6
    assert max(memory, more, least) <= 1024


@pytest.mark.slow
@pytest.mark.parametrize(
    ("methods", "tasks", "seeds", "first", "again"),
    [(300, 10, 5, 8, 5), (1000, 4, 5, 20, 20), (100, 100, 10, 15, 15)],
)
def test_large_boards_in_seconds_of_the_processor(
    tmp_path, monkeypatch, methods, tasks, seeds, first, again
):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    large(tmp_path, methods, tasks, seeds, curves=40 if methods * tasks * seeds < 50_000 else 0)
    cold, memory = call(tmp_path)
    warm, _ = call(tmp_path, "--json")
    sys.stderr.write(
        f"\n{methods} methods, {tasks} tasks, {seeds} seeds: {cold:.1f} s first, {warm:.1f} s "
        f"again, {memory} MiB\n"
    )
    assert cold <= first
    assert warm <= again
