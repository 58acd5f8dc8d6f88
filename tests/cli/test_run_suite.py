"""``bench run --suite``: what a suite declares is what runs."""

from __future__ import annotations

import json
import tomllib

import pytest

from bench.builtin.leaderboard import _suite

SUITE = """
schema_version = 2
name = "few"
device = "cpu"
tiers = { default = 2, long = 4 }
delta = 0.02

[tracks.noisy-labels]
low = "ce"
high = "clean-labels"
[[tracks.noisy-labels.tasks]]
task = "noisy-digits"
variants = ["sym40", "pair45"]
methods = ["ce", "gce", "clean-labels"]
chance = 10.0
seconds = 300

[tracks.selection]
low = "random"
high = "clean-rows"
[[tracks.selection.tasks]]
task = "prune-digits"
variants = ["clean"]
chance = 10.0
seconds = 300
"""


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "suite-few.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def planned(bench, suite):
    """The planned rows of ``bench run --suite FILE ...``: (method, task, variant) -> seeds."""

    def call(*arguments):
        done = bench("run", "--suite", suite, "--dry-run", "--json", *arguments)
        assert done.code == 0, done.err
        return {
            (row["method"], row["task"], row["variant"]): row["seeds"]
            for row in json.loads(done.out)["cells"]
        }

    return call


def test_a_suite_runs_its_tasks_variants_methods_and_the_seeds_of_its_default_tier(planned):
    rows = planned()
    noisy = {row for row in rows if row[1] == "noisy-digits"}
    assert noisy == {
        (method, "noisy-digits", variant)
        for method in ("ce", "gce", "clean-labels")
        for variant in ("sym40", "pair45")
    }
    pruned = {row for row in rows if row[1] == "prune-digits"}
    assert {row[2] for row in pruned} == {"clean"}
    assert {"random", "k-means", "el2n", "clean-rows"} <= {row[0] for row in pruned}
    assert all(seeds == [0, 1] for seeds in rows.values())


def test_a_suite_without_methods_runs_all_where_the_preset_names_some(planned, suite):
    table = """
[tracks.group-shift]
low = "erm"
high = "balanced"
[[tracks.group-shift.tasks]]
task = "accuracy-curve"
variants = ["rho95"]
chance = "low"
seconds = 300
"""
    suite.write_text(SUITE + table)
    methods = {row[0] for row in planned("--track", "group-shift")}
    assert {"erm", "mat", "wide", "mixup"} <= methods


def test_track_task_method_variant_seeds_and_preset_take_a_part_or_the_place(planned):
    assert {row[1] for row in planned("--track", "selection")} == {"prune-digits"}
    assert {row[1] for row in planned("--task", "noisy-*")} == {"noisy-digits"}
    assert planned("--method", "gce,el2n", "--variant", "sym40,clean", "--seeds", "1") == {
        ("gce", "noisy-digits", "sym40"): [0],
        ("el2n", "prune-digits", "clean"): [0],
    }
    smoke = planned("--preset", "smoke", "--track", "noisy-labels")
    assert {row[2] for row in smoke} == {"sym40"}
    assert all(seeds == [0] for seeds in smoke.values())
    clean = planned("--preset", "smoke", "--variant", "clean")
    assert {row[1:] for row in clean} == {("prune-digits", "clean")}


def test_a_task_without_the_preset_is_left_out_with_a_note(bench):
    done = bench(
        "run", "--suite", "real", "--track", "noisy-labels", "--preset", "paper", "--method",
        "ce", "--dry-run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert {row["task"] for row in json.loads(done.out)["cells"]} == {"noisy-fashion"}
    assert "noisy-letter has no preset 'paper' and is left out" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--preset", "huge"), "the suite few declares no such runs"),
        (("--all",), "--suite and --all name two sets of runs"),
        (("--track", "graph-ood"), "the suite few has no track 'graph-ood'"),
        (("--task", "noisy-digit"), "has no task 'noisy-digit' (from --task). Did you mean"),
        (("--task", "noisy-digits[rate=0.1]"), "can't have parameters"),
        (("--method", "dm"), "the suite few declares no such runs"),
    ],
)
def test_what_a_suite_does_not_declare_is_refused_in_a_sentence(bench, suite, arguments, said):
    done = bench("run", "--suite", suite, "--dry-run", *arguments)
    assert done.code in (2, 3)
    assert said in done.err
    assert "Traceback" not in done.err


def test_an_unknown_suite_is_refused_with_those_there_are(bench):
    done = bench("run", "--suite", "real-9", "--dry-run")
    assert done.code == 2
    assert "unknown suite 'real-9'. Did you mean 'real-2' or 'real-1'" in done.err
    assert "2026.9, 2026.10, real-1" in done.err


def test_a_suite_s_cells_run_and_are_found_the_second_time(bench, suite, tmp_path):
    arguments = (
        "run", "--suite", suite, "--preset", "smoke", "--method", "ce", "--executor", "inline",
        "--results", tmp_path / "results",
    )  # fmt: skip
    assert bench(*arguments).code == 0
    again = bench(*arguments, "--dry-run")
    assert "1 runs: 1 recorded, 0 to run." in again.out.replace("1 run:", "1 runs:")


def test_the_suite_of_real_data_declares_its_tasks_with_their_plain_baselines(bench):
    declared = tomllib.loads(_suite.find("real").read_text())
    names = {task["task"] for track in declared["tracks"].values() for task in track["tasks"]}
    kinds = {"noisy": ("fashion", "letter", "satellite", "segment")}
    kinds |= {"errors": kinds["noisy"][:3], "prune": kinds["noisy"][:3]}
    assert names == {f"{kind}-{data}" for kind, sets in kinds.items() for data in sets} | {
        "condense-fashion",
        "unlearn-fashion",
    }
    done = bench("run", "--suite", "real", "--dry-run", "--json")
    document = json.loads(done.out)  # without rdata what reads tables is not run
    pairs = {(run["method"], run["task"]) for run in [*document["cells"], *document["not_run"]]}
    for method, kind in (
        ("ce", "noisy"), ("ce-early", "noisy"), ("knn", "noisy"), ("random-forest", "noisy"),
        ("random", "errors"), ("random", "prune"), ("k-means", "prune"), ("random", "condense"),
        ("k-means", "condense"), ("random-best", "condense"), ("original", "unlearn"),
        ("retrain", "unlearn"), ("ft", "unlearn"),
    ):  # fmt: skip
        for task in (name for name in names if name.startswith(kind)):
            assert (method, task) in pairs


def test_a_method_for_pictures_does_not_apply_to_a_table(bench):
    done = bench("run", "--track", "noisy-labels", "--method", "rdcr", "--dry-run", "--json")
    document = json.loads(done.out)
    assert {"noisy-digits", "noisy-fashion"} <= {row["task"] for row in document["cells"]}
    told = {row["task"]: (row["status"], row["reason"]) for row in document["not_run"]}
    assert told["noisy-segment"] == (
        "not_applicable",
        "rdcr takes pictures, and noisy-segment has a table",
    )
