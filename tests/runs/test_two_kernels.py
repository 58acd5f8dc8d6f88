"""The whole smoke matrix under two kernels: no cell has one key and two figures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict

import pytest
from other_kernels import other

from bench.plugins.registry import Registry, task_card
from bench.runs import provenance
from bench.runs.replay import differing
from bench.runs.store import Store


@pytest.mark.slow
def test_no_smoke_cell_has_one_key_and_two_figures_under_two_kernels(tmp_path):
    """Prints how many cells have other figures under the other kernels:
    what keys without kernels would have got wrong.
    """
    settings = ({}, other(provenance.kernels_here(), provenance.cpu()["id"]))
    seen = defaultdict(list)
    for number, setting in enumerate(settings):
        results = tmp_path / str(number)
        call = [
            sys.executable,
            "-m",
            "bench",
            "run",
            "--all",
            "--preset",
            "smoke",
            "--device",
            "cpu",
            "--results",
            str(results),
        ]
        done = subprocess.run(
            call,
            env={**os.environ, **setting, "BENCH_CACHE": str(tmp_path / f"cache-{number}")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr[-2000:]
        for record in Store(results).read():
            seen[record.cell].append(record)
    pairs = [
        pair
        for pair in seen.values()
        if len(pair) == 2 and all(record.status == "ok" for record in pair)
    ]
    assert len(pairs) > 300
    registry = Registry()
    others = [
        one.cell
        for one, twin in pairs
        if differing(one, twin, task_card(registry.get("task", one.identity)))
    ]
    print(f"{len(others)} of {len(pairs)} cells have other figures under {settings[1]}")
    assert [one.cell for one, twin in pairs if one.key == twin.key] == []
    assert others, "the two settings compute the same bits, so nothing was tried"
