"""Strangers' plugins that hang, eat, crash, fork and lie, under a driver that is killed: every cell
ends as one record that says what happened.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

DRIVER = Path(__file__).parents[1] / "chaos" / "driver.py"
STATUS = {
    "plain": "ok",
    "talker": "ok",
    "parent": "ok",
    "daemon": "ok",
    "liar": "ok",
    "walker": "ok",
    "sleeper": "timeout",
    "stubborn": "timeout",
    "eater": "oom",
    "tensor-eater": "oom",
    "raiser": "failed",
    "segfault": "crashed",
    "leaver": "crashed",
    "closer": "crashed",
    "not-a-number": "invalid",
    "reseeder": "invalid",
    "mutator": "invalid",
}


class Site:
    """A results folder, the drivers that work in it, and what they leave."""

    def __init__(self, folder: Path, cells: dict[str, int]) -> None:
        self.results, self.cells, self.mark = folder / "results", cells, str(folder)
        self.cache, self.steps = folder / "cache", folder / "steps.txt"

    def start(self, *names: str, results: str = "") -> subprocess.Popen:
        wanted = [
            f"{name}:{count}" for name, count in self.cells.items() if not names or name in names
        ]
        environment = {
            **os.environ,
            "BENCH_CACHE": str(self.cache),
            "CHAOS": self.mark,
            "CHAOS_STEPS": str(self.steps),
        }
        command = [sys.executable, str(DRIVER), results or str(self.results), *wanted]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def finish(self, *drivers: subprocess.Popen) -> None:
        for driver in drivers:
            _, err = driver.communicate(timeout=400)
            assert driver.returncode == 0, err

    def kill(self, driver: subprocess.Popen) -> None:
        driver.kill()
        driver.communicate()

    def records(self, results: Path | None = None) -> list[dict]:
        return [
            json.loads(path.read_bytes())
            for path in sorted((results or self.results).glob("records/*/[0-9a-f]*.json"))
        ]

    def count(self) -> int:
        return sum(1 for _ in self.results.glob("records/*/[0-9a-f]*.json"))

    def wait_for(self, records: int, driver: subprocess.Popen) -> None:
        while self.count() < records and driver.poll() is None:
            time.sleep(0.02)

    def living(self) -> list[str]:
        """Return the command lines of the processes that descend from this site's drivers."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if (
                    folder.name.isdigit()
                    and f"CHAOS={self.mark}\0".encode() in (folder / "environ").read_bytes()
                ):
                    found.append((folder / "cmdline").read_bytes().decode())
            except OSError:
                continue
        return found

    def check(self) -> None:
        """See that there is one record a cell, of the right status, and nothing else."""
        patience = time.monotonic() + 5
        while self.living() and time.monotonic() < patience:
            time.sleep(0.05)
        assert self.living() == []
        records = self.records()
        assert {(record["method"], record["seed"], record["status"]) for record in records} == {
            (name, seed, STATUS[name])
            for name, count in self.cells.items()
            for seed in range(count)
        }
        assert Counter(record["attempt"] for record in records) == {1: sum(self.cells.values())}
        assert all(record["status"] == "ok" or record["error"]["message"] for record in records)
        assert all(
            record["provenance"]["limits"] == {"wall": 6.0, "memory": 1 << 30, "per_gpu": 1}
            for record in records
        )
        left = [
            path.name
            for path in self.results.rglob("*")
            if path.is_file() and path.parent.parent != self.results / "records"
        ]
        assert left == [".lock"]
        assert {path.name for path in self.results.iterdir()} <= {".lock", ".writing", "records"}
        assert list(self.results.glob("*/**/.*")) == []
        assert [
            path.name
            for path in (self.cache / "artifacts").iterdir()
            if path.name.startswith(".") or path.suffix == ".lock"
        ] == []

    def check_bits(self, folder: Path) -> None:
        """See that what is ``ok`` is equal to the bit to an undisturbed run of the same cells."""
        well = [name for name in self.cells if STATUS[name] == "ok"]
        self.finish(self.start(*well, results=str(folder)))
        figures = [
            {(item["method"], item["seed"]): (item["metrics"], item["curve"]) for item in found}
            for found in (self.records(), self.records(folder))
        ]
        assert {cell: figures[0][cell] for cell in figures[1]} == figures[1]
        assert len(figures[1]) == sum(self.cells[name] for name in well)


def steps_of(site: Site) -> Counter:
    return Counter(site.steps.read_text().split())


@pytest.mark.skipif(sys.platform != "linux", reason="finds orphans through /proc")
def test_twenty_cells_of_bad_plugins_are_twenty_records_though_the_driver_is_killed(
    tmp_path, with_kernels
):
    site = Site(tmp_path, {**dict.fromkeys(STATUS, 1), "plain": 2, "segfault": 2, "mutator": 2})
    with_kernels(site.cache)
    assert sum(site.cells.values()) == 20
    first = site.start()
    while not site.steps.exists() or "0:4" not in site.steps.read_text():
        time.sleep(0.02)
        assert first.poll() is None
    site.kill(first)
    assert 0 < site.count() < 20
    site.finish(site.start())
    talker = next(record for record in site.records() if record["method"] == "talker")
    assert talker["error"] is None
    site.check()
    assert set(steps_of(site).values()) <= {1, 2}
    # only the step that was cut off is taken twice
    assert list(steps_of(site).values()).count(2) <= 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds orphans through /proc")
def test_two_signals_cut_off_at_once_and_the_next_driver_goes_on_from_the_checkpoint(
    tmp_path, with_kernels
):
    site = Site(tmp_path, {"walker": 1, "sleeper": 1})
    with_kernels(site.cache)
    first = site.start()
    while not site.steps.exists() or "0:3" not in site.steps.read_text():
        time.sleep(0.02)
        assert first.poll() is None
    begun = time.monotonic()
    first.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    assert first.returncode == 130
    assert time.monotonic() - begun < 4
    assert site.living() == []
    assert {(record["method"], record["status"]) for record in site.records()} == {
        ("walker", "interrupted"),
        ("sleeper", "interrupted"),
    }
    # the sleeper's folder holds nothing to go on from
    assert len(list(site.results.glob("work/*/*/*/checkpoint.safetensors"))) == 1
    assert len(list(site.results.glob("work/*"))) == 1
    site.finish(site.start("walker"))
    assert [record["status"] for record in site.records() if record["method"] == "walker"] == [
        "interrupted",
        "ok",
    ]
    assert steps_of(site).total() <= 16  # only the step that was cut off is taken twice
    curve = next(record["curve"] for record in site.records() if record["status"] == "ok")
    assert [entry["step"] for entry in curve] == list(range(1, 16))
    assert not (site.results / "work").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds orphans through /proc")
def test_two_hundred_cells_survive_twenty_kills_of_the_driver_and_a_second_driver(tmp_path):
    long = {"sleeper": 6, "stubborn": 6, "walker": 8}
    others = [name for name in STATUS if name not in long]
    site = Site(tmp_path, {**long, **dict.fromkeys(others, 12), **dict.fromkeys(others[:6], 14)})
    assert sum(site.cells.values()) == 200
    chance = random.Random(0)
    for number in range(20):
        drivers = [site.start() for _ in range(2 if number == 10 else 1)]
        for driver in drivers:
            if number % 2:
                site.wait_for(min(199, site.count() + chance.randrange(12)), driver)
            time.sleep(chance.uniform(0, 4 if number % 2 == 0 else 0.5))
            driver.send_signal(signal.SIGKILL)
            driver.communicate()
    assert site.count() < 200
    site.finish(site.start(), site.start())
    site.check()
    assert max(steps_of(site).values()) <= 20
    site.check_bits(tmp_path / "undisturbed")
