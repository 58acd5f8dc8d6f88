"""The harness from Python: what notebooks and scripts call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import bench
from bench.cli import main

MOCK = str(Path(__file__).parent / "mock")
CALL = {
    "track": "mock-regression",
    "preset": "smoke",
    "device": "cpu",
    "executor": "inline",
    "plugins": [MOCK],
}


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
    assert "least-squares" in repr(results)
    assert results._repr_markdown_() == repr(results)
    row = results.rows()[0]
    assert (row["method"], row["seed"]) == ("least-squares", 0)
    assert row["rmse"] == results[0].metrics["rmse"]
    assert len(results[:2]) == len(results.where(lambda record: record.method == "constant")) == 2


def test_recorded_results_are_loaded_and_chosen(found):
    folder, results = found
    assert {record.id for record in bench.load_results(folder, plugins=[MOCK])} == {
        record.id for record in results
    }
    assert {
        record.method
        for record in bench.load_results(folder, method="constant", task="line", plugins=[MOCK])
    } == {"constant"}
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
    with pytest.raises(
        bench.BenchError, match="'mixup' names 7 methods: graph-ood/mixup, group-shift/mixup, "
    ):
        bench.method("mixup")
    with pytest.raises(bench.BenchError, match="no results folder"):
        bench.load_results(tmp_path / "none")
    with pytest.raises(bench.BenchError, match="say what to run"):
        bench.run(results=tmp_path)


def test_a_script_without_a_main_guard_runs_in_processes_of_their_own(tmp_path):
    (tmp_path / "script.py").write_text(
        "import bench\nprint('once')\nfound = bench.run(method='constant', "
        f"track='mock-regression', preset='smoke', device='cpu', seeds=1, plugins=[{MOCK!r}])\n"
        "print([record.status for record in found])\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert done.stdout.split("\n")[:2] == ["once", "['ok']"]


def test_a_dry_run_shows_what_would_run_and_runs_nothing(found, tmp_path):
    folder, results = found
    shown = bench.run(
        **CALL,
        method=["least-squares", "constant"],
        seeds=range(3),
        results=folder,
        timeout=7,
        memory=2**30,
        dry_run=True,
    )
    assert (len(shown), shown.recorded, shown.to_run, shown.not_run) == (6, 4, 2, [])
    row = shown.rows()[0]
    assert (
        row["seeds"],
        row["recorded"],
        row["to_run"],
        row["limits"]["wall"],
        row["limits"]["memory"],
    ) == ([0, 1, 2], 2, 1, 7.0, 2**30)
    assert "6 runs: 4 recorded, 2 to run." in repr(shown)
    assert shown._repr_markdown_().startswith("| method")
    assert len(bench.load_results(folder, plugins=[MOCK])) == len(results)
    assert not (tmp_path / "new").exists()
    bench.run(**CALL, method="constant", results=tmp_path / "new", dry_run=True)
    assert not (tmp_path / "new").exists()


def test_the_command_line_and_python_plan_the_same_cells(tmp_path):
    options = [
        "--track",
        "mock-regression",
        "--method",
        "least-squares,constant",
        "--preset",
        "smoke",
        "--seeds",
        "0-1,7",
        "--device",
        "cpu",
        "--only",
        "missing",
        "--budget",
        "1h",
    ]
    done = CliRunner().invoke(
        main,
        [
            "run",
            *options,
            "--plugins",
            MOCK,
            "--results",
            str(tmp_path),
            "--timeout",
            "9",
            "--dry-run",
            "--json",
        ],
    )
    call = {name: value for name, value in CALL.items() if name != "executor"}
    shown = bench.run(
        **call,
        method="least-squares,constant",
        seeds=[0, 1, 7],
        only="missing",
        budget=3600,
        timeout=9,
        results=tmp_path,
        dry_run=True,
    )
    assert shown.rows() == json.loads(done.stdout)["cells"]


def test_a_pair_that_was_named_and_can_not_run_is_an_error_as_on_the_command_line(tmp_path):
    with pytest.raises(bench.BenchError, match=r"a method runs on the tasks of its own track"):
        bench.run(method="elr", task="line", preset="smoke", plugins=MOCK, results=tmp_path)


def test_only_what_is_asked_for_runs(tmp_path):
    assert (
        len(
            bench.run(
                **CALL, method="constant", seeds=2, only=["failed", "stale"], results=tmp_path
            )
        )
        == 0
    )
    assert [
        record.seed
        for record in bench.run(**CALL, method="constant", seeds=[4, 2], results=tmp_path)
    ] == [4, 2]


# In a kernel -----------------------------------------------------------------------

SLOW = """
import time
from typing import ClassVar
from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod

class Slow(NoisyLabelMethod):
    card: ClassVar = MethodCard(name="slow", title="Sleeps after the first seed", track="noisy-labels")

    def solve(self, problem, run):
        for step in range(200 if run.seed else 1):
            run.progress(step, 200)
            time.sleep(0.1)
        return super().solve(problem, run)
"""

SETUP = """
import os, signal, threading, time, psutil, bench
call = dict(method="slow", task="noisy-digits", preset="smoke", device="cpu", jobs=1, plugins="slow.py", results="results")
def interrupt():
    while not any(os.path.isdir(os.path.join("results/records", name)) and os.listdir(os.path.join("results/records", name)) for name in (os.listdir("results/records") if os.path.isdir("results/records") else ())):
        time.sleep(0.05)
    for _ in range(2):  # the second one kills what the first one gave time to end
        time.sleep(0.5)
        os.killpg(os.getpgid(0), signal.SIGINT)  # as Jupyter does it
before = signal.getsignal(signal.SIGINT)
"""


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run the cells of a notebook in a kernel of its own, in ``tmp_path``, and return them with their outputs."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")

    def run(*cells):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the kernel's manager and its event loop
            nbclient.NotebookClient(
                notebook,
                timeout=120,
                kernel_name="python3",
                allow_errors=True,
                resources={"metadata": {"path": str(tmp_path)}},
            ).execute()
        return notebook.cells

    return run


def shown(cell) -> list[str]:
    """Return the plain texts among the outputs of a cell."""
    return [output["data"]["text/plain"] for output in cell.outputs if "data" in output] + [
        output["text"] for output in cell.outputs if "text" in output
    ]


def test_a_notebook_shows_one_line_of_progress_and_the_board(execute):
    call = {**CALL, "method": "constant", "seeds": 3, "results": "results"}
    first, again, quiet = execute(
        f"import bench\nbench.run(**{call!r})",
        f"bench.run(**{call!r})",
        f"_ = bench.run(**{ {**call, 'seeds': 4}!r}, quiet=True)",
    )
    progress, board = shown(first)
    assert progress.startswith("done: 3 of 3 runs, in ")
    assert "| constant" in board
    # all of it was recorded: no line of progress
    assert [text.startswith("### line") for text in shown(again)] == [True]
    assert shown(quiet) == []


@pytest.mark.slow
def test_an_interrupted_notebook_keeps_what_was_finished_and_leaves_no_process_behind(
    execute, tmp_path
):
    (tmp_path / "slow.py").write_text(SLOW)
    _, cut, left, again = execute(
        SETUP,
        "threading.Thread(target=interrupt).start()\nbench.run(**call, variant='sym40', seeds=[0, "
        "1])",
        "time.sleep(0.5)\nprint(signal.getsignal(signal.SIGINT) is before, [p.name() for p in "
        "psutil.Process().children(recursive=True)], os.path.isdir('results/work'))",
        "print([(r.seed, r.status) for r in bench.load_results('results')], bench.run(**call, "
        "variant='sym40', seeds=[0, 1], dry_run=True).to_run)",
    )
    errors = [output for output in cut.outputs if output.output_type == "error"]
    assert [(error["ename"], error["evalue"]) for error in errors] == [
        (
            "KeyboardInterrupt",
            "1 run of slow on noisy-digits was cut off; what was finished is recorded; run the "
            "same call again to go on",
        )
    ]
    assert "stopped: 1 of 2 runs" in "".join(shown(cut))
    assert shown(left) == ["True [] False\n"]
    assert shown(again) == ["[(0, 'ok'), (1, 'interrupted')] 1\n"]


def test_importing_bench_is_quick_and_imports_no_torch():
    code = (
        "import time; start = time.process_time(); import bench, sys; took = "
        "time.process_time() - start; assert 'torch' not in sys.modules; print(took)"
    )
    took = min(
        float(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(3)
    )
    assert took <= 0.15


def test_a_suite_plans_what_the_command_plans(tmp_path):
    asked = {"suite": "2026.4", "track": "selection", "method": "k-center", "seeds": 2}
    shown = str(bench.run(**asked, results=tmp_path, device="cpu", dry_run=True))
    words = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
    done = CliRunner().invoke(
        main, ["run", *words, "--results", str(tmp_path), "--device", "cpu", "--dry-run"]
    )
    assert done.exit_code == 0
    assert shown.split("\n\n")[0] == done.stdout.split("\n\n")[0]
    assert "prune-mnist" in shown
