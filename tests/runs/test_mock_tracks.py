"""Five mock tracks, each bending the contracts another way, run along the whole path."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.usefixtures("graph_library")

TRACKS = ("mock-unlearning", "mock-condensation", "mock-policy", "mock-graphs", "mock-regression")


@pytest.fixture
def builds(tmp_path, monkeypatch, with_kernels):
    """A fresh cache, and the list of artifacts built in it, over processes."""
    monkeypatch.setenv("BENCH_CACHE", str(with_kernels(tmp_path / "cache")))
    monkeypatch.setenv("MOCK_BUILDS", str(tmp_path / "builds.txt"))
    return lambda: (
        (tmp_path / "builds.txt").read_text().split() if (tmp_path / "builds.txt").exists() else []
    )


def by_row(ran):
    rows = defaultdict(list)
    for record in ran.records:
        assert record.status == "ok", (record.method, record.error)
        rows[record.method, record.variant].append(record)
    return {name: sorted(records, key=lambda record: record.seed) for name, records in rows.items()}


def mean(records, name):
    return float(np.mean([record.metrics[name] for record in records]))


@pytest.fixture(scope="module")
def all_tracks(tmp_path_factory, mock_folder):
    """Every track with its smoke preset, run inline once for the tests that only look."""
    from types import SimpleNamespace

    from bench.executors.inline import InlineExecutor
    from bench.plugins.registry import Registry
    from bench.runs.driver import Driver
    from bench.runs.plan import Request, make_plan
    from bench.runs.store import Store

    registry, store = Registry(paths=[mock_folder]), Store(tmp_path_factory.mktemp("results"))
    store.open_for_writing()
    driver, ran = Driver(registry, store), {}
    for track in TRACKS:
        plan = make_plan(Request(track=track, preset="smoke"), registry)
        records = [
            record
            for _, record in driver.run(driver.split(plan)[1], InlineExecutor(), 1, lambda *_: None)
        ]
        ran[track] = SimpleNamespace(plan=plan, records=records, store=store, registry=registry)
    return ran


# Every track -------------------------------------------------------------------


@pytest.mark.parametrize("track", TRACKS)
def test_every_planned_cell_of_a_track_ends_ok_without_a_warning(all_tracks, track):
    ran = all_tracks[track]
    assert [record.status for record in ran.records] == ["ok"] * len(ran.plan.cells)
    assert {text for record in ran.records for text in record.warnings} == set()


@pytest.mark.parametrize("track", TRACKS)
def test_every_pair_of_method_and_variant_is_run_or_has_a_reason(all_tracks, track):
    ran = all_tracks[track]
    tasks = [entry for entry in ran.registry.rows("task") if entry.track == track]
    wanted = set()
    for task in tasks:
        solvers = {entry.name for entry in ran.registry.rows("method") if entry.track == track} | {
            item.name for item in task.card.references
        }
        wanted |= {
            (solver, variant)
            for solver in solvers
            for variant in task.card.presets["smoke"].variants
        }
    run = {(record.method, record.variant) for record in ran.records}
    skipped = {(item.method, item.reason.rpartition(" ")[2]) for item in ran.plan.not_run}
    assert run | skipped == wanted
    assert not run & skipped


@pytest.mark.parametrize(
    ("track", "variant", "better", "null", "metric", "sign"),
    [
        ("mock-unlearning", "k4", "descend", "keep", "gap", -1),
        ("mock-unlearning", "k4", "downdate", "keep", "gap", -1),
        ("mock-unlearning", "k4", "retrained", "keep", "gap", -1),
        ("mock-condensation", "ipc1", "means", "rows", "acc", 1),
        ("mock-policy", "short", "advantage", "frozen", "pass_rate", 1),
        ("mock-graphs", "places", "invariant", "pooled", "acc_kept", 1),
        ("mock-regression", "noisy", "least-squares", "constant", "rmse", -1),
    ],
)
def test_the_better_method_beats_the_null_method_for_every_seed(
    all_tracks, track, variant, better, null, metric, sign
):
    rows = by_row(all_tracks[track])
    pairs = list(zip(rows[better, variant], rows[null, variant], strict=True))
    assert len(pairs) >= 1
    for ours, theirs in pairs:
        assert ours.seed == theirs.seed
        assert sign * (ours.metrics[metric] - theirs.metrics[metric]) > 0


def test_a_second_run_of_the_same_plan_has_nothing_to_do(run_plan, tmp_path):
    first = run_plan(track="mock-policy", preset="smoke")
    again = run_plan(track="mock-policy", preset="smoke")
    assert again.records == []
    assert {record.id for record in again.done} == {record.id for record in first.records}


# Several problems a case ---------------------------------------------------------


def test_k_problems_are_judged_together_and_their_reports_are_told_apart(all_tracks):
    record = by_row(all_tracks["mock-unlearning"])["descend", "k4"][0]
    assert [entry["problem"] for entry in record.curve] == [0, 1, 2, 3]
    assert record.metrics["spread"] > 0
    assert record.counters == {"forward": 4 * 80 * 60, "backward": 4 * 80 * 60}


def test_processes_give_the_metrics_of_the_inline_executor_bit_for_bit_and_build_an_artifact_once(
    all_tracks, run_plan, builds
):
    ran = run_plan(track="mock-unlearning", preset="smoke", executor="local")
    assert {record.status for record in ran.records} == {"ok"}
    local, inline = (
        {row: [record.metrics for record in records] for row, records in by_row(found).items()}
        for found in (ran, all_tracks["mock-unlearning"])
    )
    assert local == inline
    assert sorted(builds()) == sorted(["original"] * 2 + ["oracle"] * 8 + ["curvature"] * 2)


def test_oracles_do_not_exist_while_methods_solve(run_plan, builds):
    ran = run_plan(methods=("retrained",), tasks=("forget-rows",), preset="smoke", seeds="0-0")
    assert ran.records[0].status == "ok"  # the reference raises when it finds oracles
    assert builds() == ["original", *["oracle"] * 4]


def test_a_method_that_asked_for_an_artifact_is_charged_the_same_built_or_read(
    run_plan, builds, monkeypatch, mock_folder, tmp_path
):
    copy = tmp_path / "slow"
    shutil.copytree(mock_folder, copy)
    file = copy / "methods" / "unlearning" / "forgetters.py"
    file.write_text(
        file.read_text().replace(
            'note_build("curvature")',
            'note_build("curvature")\n            __import__("time").sleep(0.2)',
        )
    )
    costs = []
    for results in ("first", "second"):
        ran = run_plan(
            methods=("downdate",),
            tasks=("forget-rows",),
            preset="smoke",
            seeds="0-0",
            paths=[str(copy)],
            results=tmp_path / results,
        )
        costs.append(ran.records[0].cost)
    assert builds().count("curvature") == 1
    built, read = costs
    assert built["artifact_s"] == read["artifact_s"] >= 4 * 0.2  # four problems asked
    # building it is not counted twice
    assert built["solve_s"] == pytest.approx(read["solve_s"], abs=0.15)


def test_a_method_is_not_charged_for_what_the_task_serves(run_plan, builds, mock_folder, tmp_path):
    copy = tmp_path / "slow"
    shutil.copytree(mock_folder, copy)
    file = copy / "tasks" / "unlearning" / "forget_rows.py"
    slow = "\n{0}__import__('time').sleep(0.1)"
    text = file.read_text().replace(
        'note_build("original")', 'note_build("original")' + slow.format(" " * 12)
    )
    file.write_text(
        text.replace('note_build("oracle")', 'note_build("oracle")' + slow.format(" " * 16))
    )
    ran = run_plan(
        methods=("keep",), tasks=("forget-rows",), preset="smoke", seeds="0-0", paths=[str(copy)]
    )
    cost = ran.records[0].cost
    assert builds().count("oracle") == 4
    assert cost["artifact_s"] == 0
    assert cost["solve_s"] < 0.1 <= cost["prepare_s"]
    assert cost["evaluate_s"] >= 0.4


# Stacks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "task"), [("descend", "forget-rows"), ("least-squares", "line")]
)
def test_a_lone_seed_beside_its_twin_gives_the_bits_of_a_stack_of_three(
    run_plan, tmp_path, method, task
):
    stack = run_plan(
        methods=(method,),
        tasks=(task,),
        preset="smoke",
        seeds="3",
        results=tmp_path / "stack",
        parallel=1,
    ).records
    assert [record.cost["stack"] for record in stack] == [3, 3, 3]
    for seed in range(3):
        lone = run_plan(
            methods=(method,),
            tasks=(task,),
            preset="smoke",
            seeds=f"{seed}-{seed}",
            results=tmp_path / f"lone-{seed}",
        ).records
        assert [record.cost["stack"] for record in lone] == [2]
        assert (lone[0].metrics, lone[0].curve) == (stack[seed].metrics, stack[seed].curve)
        assert (lone[0].cell, lone[0].key) == (stack[seed].cell, stack[seed].key)


def test_where_the_method_says_so_a_stack_equals_single_solves(all_tracks, mock_folder):
    import torch

    from bench.plugins.source import import_target
    from bench.runs.context import Run

    registry = all_tracks["mock-regression"].registry
    method = import_target(registry.one("method", "least-squares").target)
    curve = import_target(registry.one("task", "line").target).prepare.__globals__["Curve"]
    assert method.exact_stack
    generator = torch.Generator().manual_seed(0)
    problems = [
        curve(x=torch.randn(9, generator=generator), y=torch.randn(9, generator=generator))
        for _ in range(3)
    ]
    runs = [
        Run(seed=seed, task="t", method="m", device=torch.device("cpu"), workdir=Path(mock_folder))
        for seed in range(3)
    ]
    assert method().solve_stacked(problems, runs) == [
        method().solve(problem, run) for problem, run in zip(problems, runs, strict=True)
    ]


def test_a_stack_that_fails_is_tried_again_seed_by_seed_and_only_the_bad_seed_fails(run_plan):
    ran = run_plan(
        methods=("least-squares[fail_seed=1]",),
        tasks=("line",),
        preset="smoke",
        seeds="3",
        parallel=1,
    )
    assert {record.seed: record.status for record in ran.records} == {0: "ok", 1: "failed", 2: "ok"}
    good = run_plan(
        methods=("least-squares",), tasks=("line",), preset="smoke", seeds="3", parallel=1
    )
    assert {record.seed: record.metrics for record in ran.records if record.status == "ok"} == {
        record.seed: record.metrics for record in good.records if record.seed != 1
    }
    bad = next(record for record in ran.records if record.status == "failed")
    assert "seed 1 is the bad one" in bad.error.message
    assert "fail_seed=1" in bad.error.rerun


# Needs, kept snapshots ---------------------------------------------------------------


def test_a_need_that_a_variant_does_not_offer_is_not_applicable_there_and_runs_elsewhere(
    all_tracks,
):
    ran = all_tracks["mock-graphs"]
    assert [(item.method, item.status, item.reason) for item in ran.plan.not_run] == [
        (
            "invariant",
            "not_applicable",
            "invariant needs 'env', which motifs does not offer in variant plain",
        )
    ]
    rows = by_row(ran)
    assert ("invariant", "places") in rows
    assert ("invariant", "plain") not in rows
    assert rows["invariant", "places"][0].needs == ["env"]


def test_a_method_without_the_need_is_shown_nothing_of_it(all_tracks):
    # it raises when it sees env
    assert by_row(all_tracks["mock-graphs"])["pooled", "places"][0].status == "ok"


def test_the_snapshot_that_watch_kept_is_what_evaluate_scores(all_tracks):
    record = by_row(all_tracks["mock-graphs"])["strays", "plain"][0]
    assert [entry["step"] for entry in record.curve] == [1, 2, 3, 4]
    assert record.metrics["acc_last"] < 50 < record.metrics["acc_kept"]


# Solutions that are data; figures without a value ----------------------------------------


def test_arrays_and_a_picture_are_kept_and_readable(all_tracks):
    from PIL import Image

    ran = all_tracks["mock-condensation"]
    record = by_row(ran)["means", "ipc2"][0]
    folder = ran.store.root / "files" / record.id
    arrays = load_file(folder / record.arrays)
    assert arrays["x"].shape == (4, 6)
    assert arrays["y"].tolist() == [0, 0, 1, 1]
    with Image.open(folder / record.images["points"]) as image:
        assert image.size == (6, 4)


def test_a_solution_over_its_budget_is_invalid_and_says_the_budget(run_plan, tmp_path, mock_folder):
    greedy = tmp_path / "greedy.py"
    greedy.write_text(
        "from typing import ClassVar\nfrom types import SimpleNamespace\nfrom bench import "
        "Method, MethodCard\n\n"
        "class Greedy(Method):\n    card: ClassVar = MethodCard(name='greedy', title='All rows', "
        "track='mock-condensation')\n\n"
        "    def solve(self, problem, run):\n        return SimpleNamespace(x=problem.x.clone(), "
        "y=problem.y.clone())\n"
    )
    ran = run_plan(
        paths=[mock_folder, str(greedy)],
        methods=("greedy",),
        tasks=("few-points",),
        variants=("ipc1",),
        preset="smoke",
        seeds="1",
    )
    assert ran.records[0].status == "invalid"
    assert "the budget is 1" in ran.records[0].error.message


def test_a_metric_without_a_value_is_none_a_gate_is_kept_and_a_silent_cell_says_why(run_plan):
    rows = by_row(run_plan(track="mock-regression", preset="default", seeds="1"))
    assert rows["constant", "noisy"][0].metrics["coverage"] is None
    assert 0 <= rows["least-squares", "noisy"][0].metrics["coverage"] <= 100
    assert rows["constant", "noisy"][0].gates == {"follows-x": False}
    assert rows["least-squares", "noisy"][0].gates == {"follows-x": True}
    flat = rows["least-squares", "flat"][0]
    assert flat.metrics["rmse"] is None
    assert "no method can be told from another" in flat.not_rankable


def test_two_presets_make_different_cells_with_their_own_parameters(run_plan):
    smoke, default = (
        run_plan(
            methods=("constant",), tasks=("line",), variants=("noisy",), preset=preset, seeds="1"
        ).records[0]
        for preset in ("smoke", "default")
    )
    assert (smoke.task_params["n"], default.task_params["n"]) == (20, 80)
    assert smoke.cell != default.cell


# The trainer is the problem's; long runs go on -------------------------------------------


def test_the_curve_counts_steps_and_the_counters_count_rollouts(all_tracks):
    record = by_row(all_tracks["mock-policy"])["advantage", "short"][0]
    assert [entry["step"] for entry in record.curve] == [5, 10, 15, 20, 25, 30]
    assert (
        record.curve[0]["pass_rate"] < record.curve[-1]["pass_rate"] == record.metrics["pass_rate"]
    )
    assert record.counters["forward"] == 30 * 8 * 4


def test_an_interrupted_run_goes_on_from_its_checkpoint_with_its_curve_and_counters(
    run_plan, all_tracks, tmp_path, mock_folder, monkeypatch
):
    marker = tmp_path / "interrupt-here"
    trap = tmp_path / "trap.py"
    trap.write_text(
        "import os\nfrom pathlib import Path\nfrom typing import ClassVar\nfrom bench import "
        "Method, MethodCard\n\n"
        "class Trap(Method):\n    card: ClassVar = MethodCard(name='trap', title='Interrupted "
        "once', track='mock-policy')\n\n"
        "    def solve(self, problem, run):\n        return problem.train(self, run)\n\n"
        "    def plan(self, batch, progress, generator):\n        marker = "
        "Path(os.environ['TRAP'])\n        marker.open('a').write(f'{progress:.4f} ')\n"
        "        if progress == 0.5 and marker.read_text().count('0.5000') == 1:\n            "
        "raise KeyboardInterrupt\n"
        "        return batch.rewards - batch.rewards.mean(1, keepdim=True)\n"
    )
    monkeypatch.setenv("TRAP", str(marker))
    request = {
        "paths": [mock_folder, str(trap)],
        "methods": ("trap",),
        "tasks": ("bandit",),
        "preset": "smoke",
        "seeds": "0-0",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(KeyboardInterrupt):
            run_plan(**request)
        record = run_plan(**request).records[0]
    assert record.status == "ok"
    assert len(marker.read_text().split()) == 30 + 1  # only the interrupted step is planned twice
    whole = by_row(all_tracks["mock-policy"])["advantage", "short"][0]
    assert (record.metrics, record.curve, record.counters) == (
        whole.metrics,
        whole.curve,
        whole.counters,
    )


def test_a_checkpoint_of_other_code_is_not_gone_on_from(run_plan, tmp_path, mock_folder):
    copy = tmp_path / "copy"
    shutil.copytree(mock_folder, copy)
    file = copy / "methods" / "policy" / "plans.py"
    original = file.read_text()
    request = {
        "paths": [str(copy)],
        "methods": ("frozen",),
        "tasks": ("bandit",),
        "preset": "smoke",
        "seeds": "0-0",
    }
    jobs = []
    for text in (
        original,
        original.replace("torch.zeros_like(batch.rewards)", "torch.zeros_like(batch.rewards) * 2"),
    ):
        file.write_text(text)
        ran = run_plan(**request)
        jobs.append(ran.driver._job([ran.driver.keys.of(cell) for cell in ran.plan.cells]).workdir)
    assert jobs[0] != jobs[1]


def test_checkpoints_keep_nested_tensors_and_plain_values(tmp_path):
    import torch

    from bench.runs.context import Run

    def run():
        return Run(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)

    assert run().restored() is None
    first = run()
    first.count(forward=3)
    first.log(1, loss=0.5)
    first.checkpoint(
        {
            "net": {"w": torch.arange(3), "deep": {"b": torch.ones(2, dtype=torch.bfloat16)}},
            "step": 7,
            "done": False,
            "name": "x",
        }
    )
    second = run()
    state = second.restored()
    assert state["net"]["w"].tolist() == [0, 1, 2]
    assert state["net"]["deep"]["b"].dtype == torch.bfloat16
    assert (state["step"], state["done"], state["name"]) == (7, False, "x")
    assert (second._counts["forward"], second._logs) == (3, [{"step": 1, "loss": 0.5}])


# Artifacts -----------------------------------------------------------------------------------


def test_methods_with_and_without_a_need_share_the_artifacts_of_the_task(
    run_plan, builds, tmp_path, mock_folder
):
    copy = tmp_path / "copy"
    shutil.copytree(mock_folder, copy)
    file = copy / "tasks" / "graphs" / "motifs.py"
    reveal = (
        "    def reveal(self, case, run):\n        def oracle(child):\n            "
        "note_build('graphs')\n            return {'w': torch.ones(1)}\n\n"
        "        run.cached({'what': 'oracle'}, oracle)\n\n    def evaluate("
    )
    file.write_text(
        file.read_text()
        .replace("    def evaluate(", reveal, 1)
        .replace("import GraphProblem", "import GraphProblem, note_build")
    )
    ran = run_plan(paths=[str(copy)], track="mock-graphs", variants=("places",), preset="smoke")
    assert len(by_row(ran)) == 3
    assert builds() == ["graphs"]


def test_an_artifact_made_by_a_partial_is_built_again_when_its_code_changes(
    run_plan, builds, tmp_path, mock_folder
):
    copy = tmp_path / "copy"
    shutil.copytree(mock_folder, copy)
    file = copy / "methods" / "unlearning" / "forgetters.py"
    text = file.read_text().replace(
        'cached({"what": "curvature"}, curvature)',
        'cached({"what": "curvature"}, __import__("functools").partial(curvature))',
    )
    for version in (
        text,
        text.replace("problem.ridge * torch.eye", "1.0 * problem.ridge * torch.eye"),
    ):
        file.write_text(version)
        import sys

        for name in [name for name in sys.modules if name.startswith("bench_local_")]:
            del sys.modules[name]
        ran = run_plan(
            methods=("downdate",),
            tasks=("forget-rows",),
            preset="smoke",
            seeds="0-0",
            paths=[str(copy)],
        )
        assert ran.records[0].status == "ok"
    assert builds().count("curvature") == 2


def test_an_artifact_page_says_its_recipe_and_how_long_it_took(run_plan, builds, tmp_path):
    start = time.time()
    run_plan(methods=("keep",), tasks=("forget-rows",), preset="smoke", seeds="0-0")
    pages = [
        json.loads(file.read_text())
        for file in (tmp_path / "cache" / "artifacts").glob("*/recipe.json")
    ]
    assert sorted(page["recipe"]["what"] for page in pages) == ["oracle"] * 4 + ["original"]
    assert all(page["seconds"] > 0 and page["built"] >= start for page in pages)
    assert not list((tmp_path / "cache" / "artifacts").glob(".building-*"))
