"""The harness from Python: what notebooks and scripts call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bench

MOCK = str(Path(__file__).parent / "mock")
CALL = {"track": "mock-regression", "preset": "smoke", "device": "cpu", "executor": "inline", "plugins": [MOCK]}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    return folder, bench.run(**CALL, method=["least-squares", "constant"], seeds=2, results=folder)


def test_a_run_returns_the_records_that_were_asked_for_in_the_order_of_the_plan(found):
    _, results = found
    assert [(record.method, record.seed, record.status) for record in results] == [
        ("least-squares", 0, "ok"), ("least-squares", 1, "ok"), ("constant", 0, "ok"), ("constant", 1, "ok"),
    ]  # fmt: skip
    assert results.not_run == []


def test_what_is_recorded_is_not_run_again(found):
    folder, results = found
    again = bench.run(**CALL, method="least-squares,constant", seeds="0-1", results=folder)
    assert [record.id for record in again] == [record.id for record in results]


def test_results_show_the_board_and_give_plain_rows(found):
    _, results = found
    assert "| least-squares" in repr(results)
    assert results._repr_markdown_() == repr(results)
    row = results.rows()[0]
    assert (row["method"], row["seed"]) == ("least-squares", 0)
    assert row["rmse"] == results[0].metrics["rmse"]
    assert len(results[:2]) == len(results.where(lambda record: record.method == "constant")) == 2


def test_recorded_results_are_loaded_and_chosen(found):
    folder, results = found
    assert {record.id for record in bench.load_results(folder, plugins=[MOCK])} == {record.id for record in results}
    assert {record.method for record in bench.load_results(folder, method="constant", task="line", plugins=[MOCK])} == {"constant"}
    assert len(bench.load_results(folder, track="elsewhere")) == 0


def test_a_method_is_shown_and_made_with_checked_parameters():
    elr = bench.method("noisy-labels/elr")
    assert elr.card.name == "elr"
    assert "lam" in repr(elr)
    assert elr(lam=1.0).lam == 1.0
    with pytest.raises(bench.ParameterError, match="lam"):
        elr(lam=-1)


def test_errors_are_sentences_and_not_exits(tmp_path):
    with pytest.raises(bench.BenchError, match="unknown method 'elrr'"):
        bench.method("elrr")
    with pytest.raises(bench.BenchError, match="'mixup' names 2 methods: graph-ood/mixup, noisy-labels/mixup"):
        bench.method("mixup")
    with pytest.raises(bench.BenchError, match="no results folder"):
        bench.load_results(tmp_path / "none")
    with pytest.raises(bench.BenchError, match="say what to run"):
        bench.run(results=tmp_path)


def test_a_script_without_a_main_guard_runs_in_processes_of_their_own(tmp_path):
    (tmp_path / "script.py").write_text(
        f"import bench\nprint('once')\nfound = bench.run(method='constant', track='mock-regression', preset='smoke', device='cpu', seeds=1, plugins=[{MOCK!r}])\n"
        "print([record.status for record in found])\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.split("\n")[:2] == ["once", "['ok']"]


def test_importing_bench_is_quick_and_imports_no_torch():
    code = "import time; start = time.process_time(); import bench, sys; took = time.process_time() - start; assert 'torch' not in sys.modules; print(took)"
    took = min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(3))
    assert took <= 0.15
