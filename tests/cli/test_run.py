"""Runs as users start them: what is recorded, what is skipped, and that
the same cell gives the same bits.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

SMOKE = ("run", "--device", "cpu", "--preset", "smoke", "--json")
MY_METHOD = '''"""Hard bootstrapping (arXiv:1412.6596), as a file of one's own."""

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod, cross_entropy


class HardBootstrap(NoisyLabelMethod):
    """Trust the net's own guess for a share of the target."""

    card: ClassVar = MethodCard(
        name="boot-hard",
        title="Hard bootstrapping",
        track="noisy-labels",
        paper="arXiv:1412.6596",
        stacked=True,
    )
    trust: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """Share of the target that stays with the given label."""

    def loss(self, state, batch, logits: torch.Tensor) -> torch.Tensor:
        """-b log p_y - (1 - b) log p_argmax."""
        guess = logits.detach().argmax(-1)
        return self.trust * cross_entropy(logits, batch.y) + (1 - self.trust) * cross_entropy(logits, guess)
'''


def figures(document: str) -> dict[tuple, dict]:
    """Return the metrics of every record of a --json document."""
    return {
        (record["method"], record["task"], record["variant"], record["seed"]): record["metrics"]
        for record in json.loads(document)["records"]
    }


def test_a_method_in_a_file_of_its_own_is_listed_scored_and_on_the_board(bench, tmp_path):
    assert len(MY_METHOD.splitlines()) <= 40
    path = tmp_path / "my_method.py"
    path.write_text(MY_METHOD)
    listed = json.loads(bench("list", "methods", "--json", "--plugins", path).out)["methods"]
    assert next(row for row in listed if row["name"] == "boot-hard")["source"] == str(path)
    found = bench(
        *SMOKE,
        "--executor",
        "inline",
        "--method",
        "ce,boot-hard",
        "--task",
        "noisy-digits",
        "--plugins",
        path,
    )
    assert found.code == 0
    metrics = figures(found.out)
    assert (
        metrics["boot-hard", "noisy-digits", "sym40", 0]
        != metrics["ce", "noisy-digits", "sym40", 0]
    )
    board = json.loads(bench("leaderboard", "--json", "--plugins", path).out)
    assert {row["method"] for row in board["tables"][0]["rows"]} == {"ce", "boot-hard"}


def test_the_documents_of_json_have_their_promised_keys(bench):
    methods = json.loads(bench("list", "methods", "--json").out)
    assert list(methods)[:2] == ["schema_version", "methods"]
    assert {"name", "track", "source", "status"} <= set(methods["methods"][0])
    assert len({(row["track"], row["name"]) for row in methods["methods"]}) == len(
        methods["methods"]
    )
    tasks = json.loads(bench("list", "tasks", "--json").out)["tasks"]
    assert {"name", "track", "presets", "metrics"} <= set(tasks[0])
    run = json.loads(
        bench(*SMOKE, "--executor", "inline", "--method", "ce", "--task", "noisy-digits").out
    )
    assert list(run) == ["schema_version", "records", "not_run"]
    promised = {
        "cell",
        "key",
        "track",
        "method",
        "params",
        "task",
        "preset",
        "variant",
        "seed",
        "device",
        "status",
        "metrics",
        "cost",
    }
    assert promised <= set(run["records"][0])


def test_a_second_call_runs_nothing_and_a_wider_one_only_what_is_missing(bench):
    narrow = (*SMOKE, "--executor", "inline", "--method", "ce", "--task", "noisy-digits")
    bench(*narrow)
    before = bench.files()
    again = bench(*narrow)
    assert bench.files() == before
    assert len(json.loads(again.out)["records"]) == 1
    planned = bench(
        "run",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--method",
        "ce",
        "--task",
        "noisy-digits",
        "--seeds",
        "3",
        "--dry-run",
    )
    assert "3 runs: 1 recorded, 2 to run." in planned.out
    assert bench.files() == before
    bench(*narrow, "--seeds", "3")
    after = bench.files()
    assert {name: after[name] for name in before} == before
    assert len([name for name in after if name.endswith(".json")]) == 3


def test_the_plan_says_the_limits_of_every_run(bench):
    command = (
        "run",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--method",
        "ce",
        "--task",
        "noisy-digits",
        "--dry-run",
        "--json",
    )
    row = json.loads(bench(*command, "--memory", "2GiB", "--cpu-time", "9").out)["cells"][0]
    assert row["limits"] == {
        "wall": 60.0,
        "cpu": 9.0,
        "memory": 2 << 30,
        "gpu_memory": None,
        "per_gpu": 1,
    }
    shares = [
        json.loads(bench(*command, "--jobs", jobs, "--timeout", "5").out)["cells"][0]["limits"]
        for jobs in ("1", "2")
    ]
    assert shares[0]["wall"] == 5.0
    assert shares[0]["memory"] == pytest.approx(2 * shares[1]["memory"], rel=0.01)


def test_alternatives_globs_and_custom_variants_expand_and_custom_ones_are_marked(bench):
    found = bench(
        *SMOKE,
        "--executor",
        "inline",
        "--method",
        "elr[lam=0|1]",
        "--task",
        "noisy-dig?ts[rate=0.2|0.3]",
    )
    records = json.loads(found.out)["records"]
    assert sorted((record["params"]["lam"], record["variant"]) for record in records) == [
        (lam, f"sym40[rate={rate}]") for lam in (0.0, 1.0) for rate in (0.2, 0.3)
    ]
    assert all(record["custom"] for record in records)
    board = json.loads(bench("leaderboard", "--json").out)
    assert all(row["place"] is None for table in board["tables"] for row in table["rows"])


def test_the_reference_that_peeks_is_marked_and_beats_the_null(bench):
    found = bench(
        *SMOKE,
        "--executor",
        "inline",
        "--task",
        "noisy-digits",
        "--method",
        "ce,clean-labels",
        "--seeds",
        "2",
    )
    records = {
        (record["method"], record["seed"]): record for record in json.loads(found.out)["records"]
    }
    assert records["clean-labels", 0]["peeks"]
    assert records["clean-labels", 0]["reference"] == "high"
    assert records["ce", 0]["reference"] == "low"
    assert all(
        records["clean-labels", seed]["metrics"]["acc_last"]
        > records["ce", seed]["metrics"]["acc_last"]
        for seed in (0, 1)
    )


def test_every_pair_of_a_track_is_accounted_for(bench):
    found = json.loads(
        bench(*SMOKE, "--executor", "inline", "--track", "unlearning-regression").out
    )
    listed = json.loads(bench("list", "--track", "unlearning-regression", "--json").out)
    pairs = {
        (method["name"], task["name"]) for method in listed["methods"] for task in listed["tasks"]
    }
    seen = {(record["method"], record["task"]) for record in found["records"]} | {
        (item["method"], item["task"]) for item in found["not_run"]
    }
    assert seen == pairs
    assert {record["status"] for record in found["records"]} == {"ok"}


@pytest.fixture(scope="module")
def command(shared_cache):
    """Run the installed command in a process of its own, with the cache of the session."""

    def call(*arguments: str, threads: str = "1", cwd=None) -> subprocess.CompletedProcess:
        environment = {
            **os.environ,
            "BENCH_CACHE": str(shared_cache),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
        }
        return subprocess.run(
            [sys.executable, "-c", "from bench.cli import main; main()", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=cwd,
        )

    return call


@pytest.mark.slow
def test_the_same_cells_give_the_same_bits_in_any_order_with_any_jobs_and_threads(
    command, tmp_path
):
    grid = (
        "run",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--json",
        "--task",
        "noisy-digits",
        "--seeds",
        "2",
    )
    ways = {
        "plain": (("--method", "elr,coteaching", "--jobs", "1"), "1"),
        "another order, two jobs, two threads": (
            ("--method", "coteaching,elr", "--jobs", "2"),
            "2",
        ),
        "in the calling process": (("--method", "coteaching,elr", "--executor", "inline"), "1"),
        "one seed alone": (("--method", "elr,coteaching", "--seeds", "1-1"), "2"),
    }
    found = {}
    for name, (arguments, threads) in ways.items():
        done = command(*grid, *arguments, "--results", str(tmp_path / name), threads=threads)
        assert done.returncode == 0, done.stderr
        found[name] = figures(done.stdout)
    assert len(found["plain"]) == 4
    for name, metrics in found.items():
        assert {cell: found["plain"][cell] for cell in metrics} == metrics, name
    keys = {
        json.loads(file.read_text())["key"]
        for file in (tmp_path / "plain").rglob("records/*/*.json")
    }
    assert keys == {
        json.loads(file.read_text())["key"]
        for file in (tmp_path / "another order, two jobs, two threads").rglob("records/*/*.json")
    }
    record = next((tmp_path / "plain").rglob("records/*/*.json"))
    again = command("reproduce", str(record), threads="2")
    assert (again.returncode, "the same, bit for bit (same key)" in again.stdout) == (0, True)


def test_stdout_is_the_product_and_stderr_the_talk(bench):
    done = bench(
        "run",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--method",
        "ce",
        "--task",
        "noisy-digits",
        "--executor",
        "inline",
    )
    assert done.code == 0
    assert "| ce" in done.out
    assert done.err == ""


def test_no_two_methods_of_a_track_give_bit_equal_metrics_on_a_cell(bench):
    # the default cells are looked at in the committed records
    cell = "noisy-digits[n_train=400,epochs=6]"
    found = bench(
        "run",
        "--device",
        "cpu",
        "--executor",
        "inline",
        "--track",
        "noisy-labels",
        "--task",
        cell,
        "--variant",
        "sym40",
        "--seeds",
        "0-0",
        "--json",
    )
    metrics = [
        json.dumps(record["metrics"], sort_keys=True)
        for record in json.loads(found.out)["records"]
        # told an estimate that is near the true rate, a method may remove the same rows
        if not record["method"].endswith("-estimated")
    ]
    assert len(metrics) >= 15
    assert len(set(metrics)) == len(metrics)


def test_why_names_what_changed_since_a_record_was_written(bench, tmp_path):
    path = tmp_path / "my_method.py"
    path.write_text(MY_METHOD)
    bench(
        *SMOKE,
        "--executor",
        "inline",
        "--method",
        "boot-hard",
        "--task",
        "noisy-digits",
        "--plugins",
        path,
    )
    cell = json.loads(next(bench.results.rglob("records/*/*.json")).read_text())["cell"]
    assert "not here (name them with --plugins), so there" in bench("why", cell[:12]).out
    assert ", live" in bench("why", cell[:12], "--plugins", path).out
    path.write_text(MY_METHOD.replace("(1 - self.trust) *", "(1.0 - self.trust) *"))
    said = bench("why", cell[:12], "--plugins", path).out
    assert ", stale" in said
    assert "my_method changed" in said
    path.write_text(MY_METHOD.replace('"""-b log p_y', '# a comment\n        """b log'))
    assert ", live" in bench("why", cell[:12], "--plugins", path).out


def test_exported_records_make_the_same_board_elsewhere(bench, tmp_path):
    bench(
        *SMOKE,
        "--executor",
        "inline",
        "--method",
        "ce,gce",
        "--task",
        "noisy-digits",
        "--seeds",
        "2",
    )
    assert bench("results", "export", tmp_path / "carried" / "records.jsonl").code == 0
    assert len((tmp_path / "carried" / "records.jsonl").read_text().splitlines()) == 4
    here, there = (
        bench("leaderboard", "--json"),
        bench("leaderboard", "--json", "--results", tmp_path / "carried"),
    )
    assert (here.code, here.out) == (0, there.out)


def test_only_and_budget_choose_cells_and_say_what_they_leave(bench, plugin):
    path = plugin("boom", "raise ValueError('no')")
    arguments = (
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--executor",
        "inline",
        "--task",
        "noisy-digits",
        "--plugins",
        path,
    )
    bench("run", "--quiet", "--method", "ce,boom", *arguments)
    call = ("run", "--method", "ce,boom", "--seeds", "2", "--dry-run", *arguments)
    rows = {
        row["method"]: row
        for row in json.loads(bench(*call, "--only", "missing", "--json").out)["cells"]
    }
    assert {name: (row["recorded"], row["to_run"]) for name, row in rows.items()} == {
        "ce": (1, 1),
        "boom": (0, 1),
    }
    text = bench(*call, "--only", "failed", "--only", "stale").out
    assert "4 runs: 1 recorded, 1 to run, 2 left out." in text
    assert (
        "not_selected: ce and boom on noisy-digits: seed 1 of variant sym40 has no record, and "
        "--only asks for failed, stale"
    ) in text
    document = json.loads(bench(*call, "--budget", "1s", "--json").out)
    assert {item["status"] for item in document["not_run"]} <= {"over_budget"}
    assert (
        sum(row["to_run"] for row in document["cells"])
        + sum(item["reason"].partition(" of ")[0].count(",") + 1 for item in document["not_run"])
        == 3
    )
    found = bench(
        "run",
        "--method",
        "ce,boom",
        "--seeds",
        "2",
        "--only",
        "missing",
        *arguments[:-2],
        "--plugins",
        path,
        "--budget",
        "1h",
    )
    assert "not_selected: boom on noisy-digits: seed 0" in found.err


@pytest.mark.slow
def test_two_blas_kernels_are_two_keys_and_why_and_doctor_name_them(bench, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    made = bench(
        *SMOKE,
        "--executor",
        "inline",
        "--method",
        "rcal-lite",
        "--task",
        "noisy-digits",
        "--variant",
        "sym40",
        "--seeds",
        "0-0",
    )
    cell = json.loads(made.out)["records"][0]["cell"]
    assert ", live" in bench("why", cell[:12]).out
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    said = bench("why", cell[:12]).out
    assert ", stale" in said
    assert "since then: the BLAS kernel of NumPy was openblas" in said
    assert "Haswell, is openblas" in said
    assert "Nehalem" in next(
        line for line in bench("doctor").out.splitlines() if line.startswith("kernels")
    )


def test_the_command_for_a_baseline_that_is_missing_fills_the_folder_of_the_run(bench, plugin):
    path = plugin("calm", "return Solution(model=lambda x: torch.zeros(len(x), 10))")
    where = ["--results", "my results", "--plugins", str(path)]
    done = bench(
        "run", "--method", "calm", "--task", "noisy-digits", "--preset", "smoke", "--seeds", "1",
        "--no-flops", "--executor", "inline", *where,
    )  # fmt: skip
    (command,) = re.findall(r"is missing; run: bench (.*)", done.out)
    assert shlex.split(command)[-4:] == where
    again = bench(*shlex.split(command), "--executor", "inline", "--no-flops", "--json")
    assert [record["method"] for record in json.loads(again.out)["records"]] == ["ce"]
