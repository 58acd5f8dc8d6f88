"""The suite and the boards of its tracks: scores, what counts as chance, who has a place."""

import json
from pathlib import Path

import msgspec
import pytest
from bench.builtin.leaderboard._suite_checks import disagreements
from bench.builtin.leaderboard.board import bench_board, bench_freeze, bench_render
from board_toy import CARDS, SUITE, TASKS, card, made_up, whole_suite
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.builtin.leaderboard import _suite
from bench.cards import Metric, TrackCard
from bench.errors import UsageError
from bench.plugins.registry import Registry
from bench.runs.record import Flops
from bench.runs.store import Store

LOW, HIGH = {"acc": 50.0, "gap": 0.4}, {"acc": 90.0, "gap": 0.0}
CELLS = [("up", "a", "acc"), ("up", "b", "acc"), ("down", "only", "gap")]


def runs(method, *scores, **fields):
    """Return records of a method that reaches these normalised scores (one a cell, or one for all)
    with seeds that vary a little, those of the null and its twin the other way round: differences vary too.
    """
    step = -0.001 if method in ("null", "a") else 0.001
    scores = scores if len(scores) == 3 else scores * 3
    return [
        made_up(
            "demo",
            task,
            variant,
            method,
            seed,
            metric,
            LOW[metric] + (HIGH[metric] - LOW[metric]) * (score + step * (seed - 1)),
            **fields,
        )
        for (task, variant, metric), score in zip(CELLS, scores, strict=True)
        for seed in range(3)
    ]


def anchors():
    return [*runs("null", 0.0, reference="low"), *runs("oracle", 1.0, reference="high", peeks=True)]


@pytest.fixture
def track(suite_file):
    def make(records, cards=CARDS, tasks=TASKS, **options):
        found = bench_board(records, tasks, {"suite": str(suite_file), "cards": cards, **options})
        (board,) = found["tracks"]
        return board | {"by": {row["method"]: row for row in board["rows"]}}

    return make


def test_a_score_lies_between_the_anchors_whichever_way_is_better(track):
    found = track([*anchors(), *runs("m", 0.5, 0.7, 0.2)])["by"]["m"]
    assert found["cells"]["demo/up/default/a"]["score"] == pytest.approx(0.5)
    assert found["cells"]["demo/down/default/only"]["score"] == pytest.approx(0.2)
    # variants are averaged first, so that tasks weigh the same
    assert found["score"] == pytest.approx(((0.5 + 0.7) / 2 + 0.2) / 2)
    assert (found["place"], found["ok"], found["of"], found["imputed"]) == (1, 9, 9, 0)
    assert found["vs_null"]["verdict"] == "better"


def test_the_interval_is_students_over_task_means_with_degrees_of_freedom_pooled_over_the_board(
    track,
):
    from bench.builtin.leaderboard._aggregate import track_interval
    from numpy import array

    found = track([*anchors(), *runs("m", 0.5)])["by"]["m"]
    seeds = 0.001 * array([-1, 0, 1])
    expected = track_interval(array([[seeds, seeds], [0.5 + seeds, 0.5 + seeds]]))  # the null and m
    assert (found["low"], found["high"]) == pytest.approx(
        (expected.low[1], expected.high[1]), abs=1e-6
    )


def test_references_that_peek_and_the_upper_anchor_never_have_a_place(track):
    found = track([*anchors(), *runs("m", 1.5)])
    assert (found["by"]["oracle"]["place"], found["by"]["oracle"]["why"]) == (
        None,
        "it sees the hidden part",
    )
    assert found["rows"][0]["method"] == "m"
    seen = track(
        [
            *runs("null", 0.0, reference="low"),
            *runs("oracle", 1.0, reference="high"),
            *runs("m", 1.5),
        ]
    )
    assert (seen["by"]["oracle"]["place"], seen["by"]["oracle"]["why"]) == (
        None,
        "it is the upper anchor",
    )
    cheat = track([*anchors(), *runs("cheat", 3.0, peeks=True), *runs("m", 0.5)])
    assert (cheat["by"]["cheat"]["place"], cheat["by"]["m"]["place"]) == (None, 1)


@pytest.mark.parametrize("status", ["failed", "crashed", "timeout", "oom", "invalid"])
def test_a_run_that_fails_counts_as_chance_and_is_marked(track, status):
    records = [*anchors(), *runs("m", 0.5)]
    records[-1] = made_up("demo", "down", "only", "m", 2, "gap", 0, status=status)
    found = track(records)["by"]["m"]
    chance = (0.5 - 0.4) / (0.0 - 0.4)
    assert found["score"] == pytest.approx((0.5 + ((0.499 + 0.5) + chance) / 3) / 2, abs=1e-6)
    assert (
        found["imputed"],
        found["cells"]["demo/down/default/only"]["word"],
        found["cells"]["demo/down/default/only"]["imputed"],
    ) == (1, status, 1)
    assert found["place"]


def test_no_run_counts_as_less_than_chance(track):
    found = track([*anchors(), *runs("m", -9.0)])["by"]["m"]
    assert found["score"] == pytest.approx((-1.0 - 0.25) / 2)
    cell = found["cells"]["demo/up/default/a"]
    assert (cell["score"], cell["counted"], cell["below"]) == (
        pytest.approx(-9.0),
        pytest.approx(-1.0),
        "below chance",
    )
    assert found["cells"]["demo/down/default/only"]["below"] == "below chance"


def test_no_run_counts_as_less_than_minus_one_however_far_below_chance_lies(track, suite_file):
    suite_file.write_text(SUITE.replace("chance = 10.0", "chance = 0.0"))  # a score of -1.25
    broken = [*anchors(), *runs("m", -9.0), *runs("n", 0.5)]
    broken[-9] = made_up("demo", "up", "a", "n", 0, "acc", 0, status="failed")
    found = track(broken)["by"]
    assert found["m"]["score"] == pytest.approx((-1.0 - 0.25) / 2)
    assert found["m"]["cells"]["demo/up/default/a"]["below"] == "below -1"
    assert found["n"]["cells"]["demo/up/default/a"]["counted"] == pytest.approx(
        (-1.0 + 0.5 + 0.501) / 3, abs=1e-6
    )
    assert [cell["floor"] for cell in track(broken)["cells"]] == pytest.approx([-1.0, -1.0, -0.25])
    assert (
        "Below -1, where runs count as -1: m on up a (-9.00), m on up b (-9.00)."
        in bench_render(
            bench_board(broken, TASKS, {"suite": str(suite_file), "cards": CARDS}), "md"
        )
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3, 2), min_size=3, max_size=3), st.sets(st.integers(0, 8), min_size=1))
def test_failing_never_beats_finishing(tmp_path_factory, reached, broken):
    path = tmp_path_factory.mktemp("suite") / "suite-small.toml"
    path.write_text(SUITE)

    def score(records):
        (board,) = bench_board([*anchors(), *records], TASKS, {"suite": str(path)})["tracks"]
        return next(row["score"] for row in board["rows"] if row["method"] == "m")

    finished = runs("m", *reached)
    crashed = [
        made_up("demo", record.task, record.variant, "m", record.seed, "acc", 0, status="crashed")
        if place in broken
        else record
        for place, record in enumerate(finished)
    ]
    assert score(crashed) <= score(finished) + 1e-6


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 2), min_size=3, max_size=3), st.booleans())
def test_adding_a_method_changes_nobodys_score(tmp_path_factory, reached, fails):
    path = tmp_path_factory.mktemp("suite") / "suite-small.toml"
    path.write_text(SUITE)
    records = [*anchors(), *runs("m", 0.4, 0.6, 0.1), *runs("n", 0.3)]
    new = runs("new", *reached)
    if fails:
        new[4] = made_up("demo", "up", "b", "new", 1, "acc", 0, status="oom")
    before, after = (
        {
            row["method"]: row
            for row in bench_board(held, TASKS, {"suite": str(path)})["tracks"][0]["rows"]
        }
        for held in (records, records + new)
    )
    for name in before:
        for key in ("score", "iqm", "p_better", "cells", "cost"):
            assert after[name][key] == before[name][key], (name, key)


def test_a_method_that_misses_a_run_is_provisional_and_one_that_never_ran_is_a_row(track):
    found = track([*anchors(), *runs("m", 0.5)[:-1], *runs("n", 0.2)])["by"]
    assert (found["m"]["place"], found["m"]["provisional"], found["m"]["why"]) == (
        None,
        True,
        "1 run missing",
    )
    assert (found["n"]["place"], found["picky"]["why"]) == (
        1,
        "it does not apply to every task: up a does not offer rate",
    )
    assert {cell["word"] for cell in found["picky"]["cells"].values()} == {"not_applicable"}
    interrupted = [*anchors(), *runs("m", 0.5)]
    interrupted[-1] = made_up("demo", "down", "only", "m", 2, "gap", 0, status="interrupted")
    assert track(interrupted)["by"]["m"]["why"] == "1 run missing"


def test_a_gate_that_fails_and_a_budget_that_is_overdrawn_count_as_chance(track):
    records = [
        *anchors(),
        *runs("m", 0.5, gates={"sane": False}),
        *runs("n", 0.5, cost={"solve_s": 61.0}),
    ]
    found = track(records)["by"]
    assert [found[name]["imputed"] for name in ("m", "n")] == [9, 9]
    assert {cell["word"] for cell in found["m"]["cells"].values()} == {"gate"}
    assert {cell["word"] for cell in found["n"]["cells"].values()} == {"over budget"}
    idle = [
        *runs("null", 0.0, reference="low", gates={"did something": False}),
        *anchors()[9:],
        *runs("m", 0.5),
    ]
    assert track(idle)["by"]["null"]["imputed"] == 0, (
        "the null does nothing, and is not judged for it"
    )


def test_one_key_with_two_numbers_is_nondeterminism_and_counts_as_chance(track):
    records = [*anchors(), *runs("m", 0.5)]
    again = msgspec.structs.replace(records[-1], attempt=2, metrics={"gap": 0.1})
    found = track([*records, again])["by"]["m"]
    assert (found["imputed"], found["cells"]["demo/down/default/only"]["word"]) == (
        1,
        "nondeterministic",
    )
    assert (
        track([*records, msgspec.structs.replace(records[-1], attempt=2)])["by"]["m"]["imputed"]
        == 0
    )


def test_one_key_may_have_two_readings_of_a_clock(track):
    speed = Metric(name="fits_per_s", direction="none", clock=True)
    gap = TASKS["demo/down"].primary
    tasks = TASKS | {"demo/down": msgspec.structs.replace(TASKS["demo/down"], metrics=(gap, speed))}
    first = [
        msgspec.structs.replace(record, metrics={**record.metrics, "fits_per_s": 100.0})
        for record in [*anchors(), *runs("m", 0.5)]
    ]
    second = [
        msgspec.structs.replace(record, attempt=2, metrics={**record.metrics, "fits_per_s": 101.0})
        for record in first
        if record.task == "down"
    ]
    alone, again = track(first, tasks=tasks)["by"], track([*first, *second], tasks=tasks)["by"]
    assert (again["m"]["imputed"], again["m"]["score"]) == (0, alone["m"]["score"])
    undeclared = track([*first, *second])["by"]["m"]
    assert undeclared["imputed"] == 3, "a figure that no card calls a clock's has to agree"


def test_anchors_that_can_not_be_told_apart_make_a_cell_thin(track):
    records = [record for record in [*anchors(), *runs("m", 0.5)] if record.variant != "b"]
    same = [
        made_up(
            "demo", "up", "b", name, seed, "acc", 50.0 + seed, reference=kind, peeks=kind == "high"
        )
        for name, kind in (("null", "low"), ("oracle", "high"))
        for seed in range(3)
    ]
    found = track(
        [
            *records,
            *same,
            *[made_up("demo", "up", "b", "m", seed, "acc", 99.0) for seed in range(3)],
        ]
    )
    assert [cell["state"] for cell in found["cells"]] == ["scored", "thin", "scored"]
    assert found["by"]["m"]["score"] == pytest.approx(0.5)
    assert any(
        "up b is thin, shown and not counted: its anchors can't be separated" in note
        for note in found["notes"]
    )
    said = [
        msgspec.structs.replace(record, not_rankable="not informative")
        if record.variant == "a" and record.method == "null"
        else record
        for record in records
    ]
    assert track(said)["cells"][0]["state"] == "thin"


@pytest.mark.parametrize("task", ["up", "down"])
def test_an_upper_anchor_worse_than_the_baseline_turns_no_ranking_upside_down(
    track, suite_file, task
):
    """The upper anchor takes the wrong side of the baseline, on a metric of either direction."""
    alone = SUITE.replace('task = "up"', "", 1).partition("[[")[0] + next(
        "[[" + part for part in SUITE.split("[[")[1:] if f'task = "{task}"' in part
    )
    suite_file.write_text(alone)
    records = [
        record
        for record in [
            *runs("null", 0.0, reference="low"),
            *runs("oracle", -0.75, reference="high", peeks=True),
            *runs("m", 0.25),
            *runs("n", -0.25),
        ]
        if record.task == task
    ]
    found = track(records)
    assert {cell["state"] for cell in found["cells"]} == {"thin"}
    assert {row["place"] for row in found["rows"]} == {None}
    where = {"up": "up a", "down": "down only"}[task]
    assert (
        f"{where} is thin, shown and not counted: its upper anchor is worse than the baseline."
        in found["notes"]
    )
    bench_freeze(records, TASKS, {"suite": str(suite_file), "cards": CARDS})
    frozen = json.loads(suite_file.with_name("anchors-small.json").read_text())["cells"]
    assert {(cell["informative"], cell["thin"]) for cell in frozen.values()} == {
        (False, "its upper anchor is worse than the baseline")
    }
    assert {cell["state"] for cell in track(records)["cells"]} == {"thin"}


BOUNDED = TASKS | {
    "demo/up": card(
        "up", Metric(name="acc", primary=True, unit="%", bounds=(0.0, 100.0)), ("a", "b")
    )
}


def close(records, cell, share):
    """Return the records with the anchors of a variant of ``up`` drawn together around 50."""

    def drawn(record):
        mine = (
            record.task == "up" and record.variant == cell and record.method in ("null", "oracle")
        )
        return (
            msgspec.structs.replace(
                record, metrics={"acc": 50 + (record.metrics["acc"] - 50) * share}
            )
            if mine
            else record
        )

    return [drawn(record) for record in records]


def test_a_frozen_thin_cell_is_noted_only_where_it_has_runs(suite_file):
    options = {"suite": str(suite_file), "cards": CARDS}
    records = close(anchors(), "b", 0.1)
    bench_freeze(records, BOUNDED, options)
    for shown, thin in ((records, 1), ([one for one in records if one.variant != "b"], 0)):
        (found,) = bench_board(shown, BOUNDED, options)["tracks"]
        assert len([note for note in found["notes"] if "up b is thin" in note]) == thin


def test_a_cell_whose_anchors_span_too_little_of_the_metric_is_thin_with_the_reason(track):
    found = track([*close(anchors(), "b", 0.1), *runs("m", 0.5)], tasks=BOUNDED)
    cells = {cell["cell"]: cell for cell in found["cells"]}
    thin = cells["demo/up/default/b"]
    assert (thin["state"], thin["thin"]) == (
        "thin",
        "its anchors lie 4 apart, less than 5 % of what acc can span (0 to 100)",
    )
    assert found["by"]["m"]["score"] == pytest.approx(0.5, abs=1e-6)
    assert found["by"]["m"]["cells"]["demo/up/default/b"]["score"] is None
    assert any(
        note == f"up b is thin, shown and not counted: {thin['thin']}." for note in found["notes"]
    )
    assert (
        track([*close(anchors(), "b", 0.13), *runs("m", 0.5)], tasks=BOUNDED)["cells"][1]["state"]
        == "scored"
    )


@pytest.mark.parametrize(("low", "state"), [(0.104, "thin"), (0.106, "scored")])
def test_an_open_end_of_the_bounds_counts_as_the_anchor_nearest_to_it(track, low, state):
    """Of an error without a largest value the high anchor must be 5 %
    below what the low one reaches.
    """
    errors = [
        made_up(
            "demo", "down", "only", name, seed, "gap", centre, reference=kind, peeks=kind == "high"
        )
        for name, kind, centre in (("null", "low", low), ("oracle", "high", 0.1))
        for seed in range(3)
    ]
    open_end = TASKS | {
        "demo/down": msgspec.structs.replace(
            TASKS["demo/down"],
            metrics=(Metric(name="gap", direction="min", primary=True, bounds=(0, None)),),
        )
    }
    found = track(
        [*(record for record in anchors() if record.task != "down"), *errors, *runs("m", 0.5)],
        tasks=open_end,
    )["cells"][-1]
    assert found["state"] == state
    if state == "thin":
        assert (
            found["thin"]
            == f"its anchors lie 0.004 apart, less than 5 % of what gap can span (0 to {low})"
        )


def test_a_cell_whose_anchors_lie_within_five_deviations_of_a_run_is_thin(track):
    noisy = [
        made_up(
            "demo",
            "down",
            "only",
            name,
            seed,
            "gap",
            centre + spread,
            reference=kind,
            peeks=kind == "high",
        )
        for name, kind, centre in (("null", "low", 0.4), ("oracle", "high", 0.1))
        for seed, spread in enumerate((-0.09, 0.0, 0.09))
    ]
    rest = [record for record in anchors() if record.task != "down"]
    cell = track([*rest, *noisy, *runs("m", 0.5)])["cells"][-1]
    assert (cell["state"], cell["thin"]) == (
        "thin",
        "its anchors lie 0.3 apart, less than 5 deviations of one run over seeds (0.09)",
    )
    calm = [
        msgspec.structs.replace(
            record,
            metrics={
                "gap": 0.1 + record.metrics["gap"] * (1.5 if record.method == "null" else 0.1)
            },
        )
        for record in noisy
    ]
    assert track([*rest, *calm, *runs("m", 0.5)])["cells"][-1]["state"] == "scored"


def test_the_rule_of_thin_cells_may_not_empty_a_track(track):
    records = close(close(anchors(), "a", 0.1), "b", 0.1)
    flat = [record for record in records if record.task != "down"]
    flat += [
        made_up(
            "demo",
            "down",
            "only",
            name,
            seed,
            "gap",
            0.3 + 0.001 * seed,
            reference=kind,
            peeks=kind == "high",
        )
        for name, kind in (("null", "low"), ("oracle", "high"))
        for seed in range(3)
    ]
    found = track([*flat, *runs("m", 0.5)], tasks=BOUNDED)
    assert [cell["state"] for cell in found["cells"]] == ["scored", "scored", "thin"]
    assert found["by"]["m"]["place"] == 1
    assert sum("is thin and counts all the same" in note for note in found["notes"]) == 2


def test_what_is_thin_is_frozen_with_the_suite(track, suite_file):
    records = [*close(anchors(), "b", 0.1), *runs("m", 0.5)]
    bench_freeze(records, BOUNDED, {"suite": str(suite_file)})
    path = suite_file.with_name("anchors-small.json")
    frozen = json.loads(path.read_text())["cells"]
    assert frozen["demo/up/default/b"]["thin"].startswith("its anchors lie 4 apart")
    assert "thin" not in frozen["demo/up/default/a"]
    assert track(records)["cells"][1]["state"] == "thin"
    document = json.loads(path.read_text())
    del document["cells"]["demo/up/default/b"]["thin"]  # a file that was frozen before the rule
    path.write_text(json.dumps(document))
    assert track(records)["cells"][1]["state"] == "scored"


def test_a_method_that_equals_another_in_every_run_stands_once_and_the_null_before_others(track):
    found = track([*anchors(), *runs("a", 0.0), *runs("m", 0.5), *runs("n", 0.5)])
    assert {
        name: (row["place"], row["why"])
        for name, row in found["by"].items()
        if row["ok"] and name != "oracle"
    } == {
        "m": (1, ""),
        "n": (None, "equal to m in every run"),
        "null": (2, ""),
        "a": (None, "equal to null in every run"),
    }
    assert found["pairs"]["methods"] == ["m", "null"]
    broken = runs("n", 0.5)
    broken[0] = made_up("demo", "up", "a", "n", 0, "acc", 0, status="oom")
    assert track([*anchors(), *runs("m", 0.5), *broken])["by"]["n"]["place"] == 2


def test_a_score_that_no_seed_changes_has_no_interval(track):
    steady = [
        msgspec.structs.replace(
            record, metrics={"acc": 70.0} if record.task == "up" else {"gap": 0.2}
        )
        for record in runs("m", 0.5)
    ]
    row = track([*anchors(), *steady])["by"]["m"]
    assert (row["score"], row["low"], row["high"]) == (0.5, None, None)


def test_without_anchors_there_is_no_score_and_the_board_says_what_to_run(track):
    found = track(runs("m", 0.5))
    assert (found["by"]["m"]["score"], found["by"]["m"]["place"], found["by"]["m"]["why"]) == (
        None,
        None,
        "anchors are missing",
    )
    assert any(
        "run: bench run --track demo --method null,oracle --task down,up --preset default --seeds 3 "
        "--device cpu" in note
        for note in found["notes"]
    )


def test_the_command_for_missing_anchors_names_each_preset_of_the_suite(track, suite_file):
    suite_file.write_text(SUITE.replace('task = "up"', 'task = "up"\npreset = "smoke"'))
    told = (
        "bench run --track demo --method null,oracle --task {} --preset {} --seeds 3 --device cpu"
    )
    (note,) = [note for note in track(runs("m", 0.5))["notes"] if "have not all run" in note]
    assert note.partition("run: ")[2] == " && ".join(
        told.format(*which) for which in (("down", "default"), ("up", "smoke"))
    )


def test_custom_tuned_and_other_rows_are_in_no_track(track):
    extra = [
        *runs("m", 2.0, custom=True, params={"a": 1}),
        *runs("n", 2.0, tuning={"trials": []}, params={"a": 2}),
    ]
    found = track([*anchors(), *extra])
    assert {row["method"] for row in found["rows"] if row["ok"]} == {"null", "oracle"}


def test_a_part_of_a_suite_has_no_score(suite_file):
    for part in ({"tasks": ["demo/up"]}, {"methods": ["m"]}, {"preset": "default"}):
        assert (
            bench_board([*anchors(), *runs("m", 0.5)], TASKS, {"suite": str(suite_file), **part})[
                "tracks"
            ]
            == []
        )


def test_frozen_anchors_hold_and_drift_makes_the_night_invalid(track, suite_file):
    records = [*anchors(), *runs("m", 0.5)]
    said = bench_freeze(records, TASKS, {"suite": str(suite_file)})
    assert said[-1].startswith("froze the anchors of 3 cells")
    frozen = suite_file.with_name("anchors-small.json").read_text()
    found = track(records)
    assert (
        found["valid"],
        found["by"]["m"]["place"],
        {cell["frozen"] for cell in found["cells"]},
    ) == (True, 1, {True})
    moved = [*runs("null", 0.1, reference="low"), *records[9:]]
    drifted = track(moved)
    assert (drifted["valid"], drifted["by"]["m"]["place"]) == (False, None)
    assert (
        "the anchors drifted: null of up a now reaches 54, and 50 was frozen"
        in drifted["by"]["m"]["why"]
    )
    assert drifted["by"]["m"]["score"] == found["by"]["m"]["score"], (
        "scores are those of the frozen anchors"
    )
    again = bench_freeze(moved, TASKS, {"suite": str(suite_file)})
    assert suite_file.with_name("anchors-small.json").read_text() == frozen
    assert "frozen already and stays as it is" in again[0]


def test_records_of_another_problem_are_left_out_of_a_frozen_cell(track, suite_file):
    bench_freeze(anchors(), TASKS, {"suite": str(suite_file)})
    other = [
        msgspec.structs.replace(record, task_params={"epochs": 1}) for record in runs("m", 0.5)
    ]
    found = track([*anchors(), *other])
    assert found["by"]["m"]["ok"] == 0
    assert any("3 records of up a have other task parameters" in note for note in found["notes"])


def test_freezing_leaves_out_what_has_not_run_whole(suite_file):
    said = bench_freeze(anchors()[:-1], TASKS, {"suite": str(suite_file)})
    assert said == [
        (
            "not frozen, since a run of their anchors is missing (3 seeds each, on cpu): "
            "demo/down/default/only."
        ),
        (
            f"froze the anchors of 2 cells in {suite_file.with_name('anchors-small.json')}; 2 of 3 "
            "are frozen."
        ),
    ]


WRONG = {
    "no table": ("name = ", "can't be used"),
    "an unknown field": (
        SUITE.replace("seeds = 3", "seeds = 3\ncolour = 1"),
        "unknown field `colour`",
    ),
    "a later schema": (SUITE.replace("schema_version = 1", "schema_version = 3"), "schema_version"),
    "a title where cards have it": (
        SUITE.replace("schema_version = 1", "schema_version = 2"),
        "its track 'demo' has a title, which stands on the track's card",
    ),
    "no title where cards have none": (
        SUITE.replace('title = "Demo"\n', ""),
        "its track 'demo' has no title, which schema_version 1 wants",
    ),
    "no seeds": (SUITE.replace("seeds = 3", "seeds = 0"), "seeds = 0, it must be 1 to 1000"),
    "a delta of one": (SUITE.replace("0.02", "1.0"), "delta = 1.0, it must lie between 0 and 1"),
    "a device that is none": (
        SUITE.replace('"cpu"', '"tpu"'),
        "its device is 'tpu', it must be cpu or cuda",
    ),
    "a variant twice": (
        SUITE.replace('["a", "b"]', '["a", "a"]'),
        "demo/up has no variant, or one twice",
    ),
    "no low anchor": (
        SUITE.replace('low = "null"\n', ""),
        "demo/up has no low anchor, and neither has its track",
    ),
    "a fixed anchor without a reason": (
        SUITE.replace('high = "oracle"', 'high = { value = 1.0, why = "" }'),
        "gives no reason",
    ),
    "a budget of nothing": (
        SUITE.replace("seconds = 60", "seconds = 0", 1),
        "a budget that is not above 0",
    ),
    "datasets in an old schema": (
        SUITE.replace("seeds = 3", "seeds = 3\nover_datasets = true"),
        "over_datasets, which schema_version 2 knows",
    ),
    "a method twice": (
        SUITE.replace("chance = 10.0", 'chance = 10.0\nmethods = ["m", "m"]'),
        "names a method twice",
    ),
    "a chance in words": (SUITE.replace("chance = 10.0", 'chance = "high"'), "chance"),
    "a name that is no file's": (
        SUITE.replace('"small"', '"a/b"'),
        "its name 'a/b' must be letters, digits, dots",
    ),
    "an empty name": (SUITE.replace('"small"', '""'), "its name '' must be letters"),
    "a name with a null": (
        SUITE.replace('"small"', '"a\\u0000b"'),
        "must be letters, digits, dots",
    ),
    "a track with a slash": (
        SUITE.replace("tracks.demo", 'tracks."de/mo"'),
        "it names the track 'de/mo'; a name is not empty and has no '/'",
    ),
    "a variant with a slash": (SUITE.replace('"a", "b"', '"a/b"'), "it names the variant 'a/b'"),
    "a task without a name": (SUITE.replace('"up"', '""'), "it names the task ''"),
    "one reference as both anchors": (
        SUITE.replace('"oracle"', '"null"'),
        "demo/up has the same low and high anchor",
    ),
    "one value as both anchors": (
        SUITE.replace('"oracle"', '{ value = 1, why = "x" }').replace(
            '"null"', '{ value = 1.0, why = "y" }'
        ),
        "demo/up has the same low and high anchor",
    ),
    "a task twice": (SUITE.replace('"down"', '"up"'), "its track 'demo' names a task twice"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_suite_file_that_is_wrong_is_refused_with_the_reason(tmp_path, case):
    text, reason = WRONG[case]
    path = tmp_path / "suite-wrong.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        _suite.load(path)
    assert reason in str(error.value)
    assert str(path) in str(error.value)


def test_anchors_that_are_damaged_or_anothers_are_refused(suite_file):
    bench_freeze(anchors(), TASKS, {"suite": str(suite_file)})
    path = suite_file.with_name("anchors-small.json")
    text = path.read_text()
    for wrong, reason in (
        (text[:-20], "damaged"),
        (text.replace('"small"', '"other"'), "of the suite 'other'"),
        (text.replace("up/default/a", "up/default/z"), "of the cell"),
    ):
        path.write_text(wrong)
        with pytest.raises(UsageError, match=reason):
            _suite.load(suite_file)


@pytest.mark.parametrize(
    ("low", "reason"),
    [
        (
            None,
            "of a fixed value as the low anchor of demo/up/default/a, where the suite has 'null'",
        ),
        (
            {"name": "other"},
            "of 'other' as the low anchor of demo/up/default/a, where the suite has 'null'",
        ),
        ({"n": 0}, "of 0 seeds"),
        ({"n": -1}, "of -1 seeds"),
        ({"n": 5}, "of 5 seeds and deviation .* where the tier default has 3 seeds"),
        ({"sd": -1.0}, "of 3 seeds and deviation -1 of null"),
    ],
)
def test_frozen_anchors_that_are_not_those_of_the_suites_cell_are_refused(suite_file, low, reason):
    bench_freeze(anchors(), TASKS, {"suite": str(suite_file)})
    path = suite_file.with_name("anchors-small.json")
    file = json.loads(path.read_text())
    cell = file["cells"]["demo/up/default/a"]
    cell["low"] = low and cell["low"] | low
    path.write_text(json.dumps(file))
    with pytest.raises(UsageError, match=reason):
        _suite.load(suite_file)


def test_a_tier_of_one_seed_has_no_places_and_asks_for_no_runs(tmp_path):
    path = tmp_path / "suite-small.toml"
    path.write_text(SUITE.replace("seeds = 3", "seeds = 1"))
    (track,) = bench_board(anchors(), TASKS, {"suite": str(path), "cards": CARDS})["tracks"]
    assert track["notes"] == ["No places: one seed says nothing of the spread."]
    assert {row["place"] for row in track["rows"]} == {None}


def test_the_newest_suite_is_found_by_its_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(_suite, "ROOM", tmp_path)
    for name in ("2026.9", "2026.10", "2025.12"):
        (tmp_path / f"suite-{name}.toml").write_text(SUITE)
    assert _suite.find(None).name == "suite-2026.10.toml"


def test_a_method_for_pictures_is_below_the_line_where_a_task_has_a_table(track):
    cards = {**CARDS, "demo/m": msgspec.structs.replace(CARDS["demo/m"], inputs="pictures")}
    tasks = {**TASKS, "demo/down": msgspec.structs.replace(TASKS["demo/down"], inputs="table")}
    rest = [record for record in runs("m", 0.5) if record.task == "up"]
    row = track([*anchors(), *rest, *runs("n", 0.3)], cards=cards, tasks=tasks)["by"]["m"]
    assert (row["place"], row["cells"]["demo/down/default/only"]["word"]) == (
        None,
        "not_applicable",
    )
    assert row["why"] == (
        "it does not apply to every task: down has a table, and it takes pictures"
    )


def test_a_suite_beside_those_of_the_years_is_never_the_newest():
    assert _suite.find(None).name.startswith("suite-2")
    assert _suite.find("real-1").name == "suite-real-1.toml"
    assert _suite.find("real").name == "suite-real-2.toml"


def test_an_unknown_suite_has_near_matches():
    with pytest.raises(UsageError, match=r"Did you mean '2026\.9' or '2026\.8' or '2026\.7'\?"):
        _suite.find("2016.9")


def test_the_newest_suite_of_this_repository_names_what_is_installed_and_older_ones_can_be_read():
    tasks = Registry().cards()
    for path in sorted(_suite.ROOM.glob("suite-*.toml")):
        suite, _ = _suite.load(path)
        assert path.stem == f"suite-{suite.name}"
    for wanted in (None, "real"):
        suite = _suite.read_suite(_suite.find(wanted))
        assert disagreements(suite, tasks) == []
        for name, track in suite.tracks.items():
            for task in track.tasks:
                assert task.seconds >= tasks[f"{name}/{task.task}"].presets[task.preset].timeout


def test_a_track_is_called_what_its_card_says_in_a_suite_of_schema_2_and_what_an_older_suite_says_in_that(
    tmp_path,
):
    cards = {
        "demo": TrackCard(
            name="demo", title="A new title", about="Learn.", field="training", ranked="methods"
        )
    }
    path = tmp_path / "suite-small.toml"
    path.write_text(SUITE)
    assert (
        bench_board(anchors(), TASKS, {"suite": str(path), "tracks": cards})["tracks"][0]["title"]
        == "Demo"
    )
    path.write_text(
        "\n".join(
            line
            for line in SUITE.replace("_version = 1", "_version = 2").splitlines()
            if not line.startswith(("title", "about"))
        )
    )
    for known, title, about in ((cards, "A new title", "Learn."), ({}, "demo", "")):
        found = bench_board(anchors(), TASKS, {"suite": str(path), "tracks": known})
        assert (
            found["tracks"][0]["title"],
            found["tracks"][0]["about"],
            found["suite"]["tracks"]["demo"]["title"],
        ) == (title, about, title)


def test_the_frozen_anchors_are_what_the_committed_records_give():
    published = json.loads((_suite.ROOM / "published" / "leaderboard.json").read_text())["suite"][
        "name"
    ]
    suite, frozen = _suite.load(_suite.find(published))
    assert frozen.cells
    records = {
        record.id: record
        for record in Store(Path(__file__).parents[2] / "docs" / "records").briefs()
    }
    for name, cell in frozen.cells.items():
        for run in (cell.low, cell.high):
            figures = [
                records[record].metrics[cell.primary]
                for record in (run.records if run else ())
                if record in records
            ]
            if run and len(figures) == run.n:
                assert run.mean == pytest.approx(sum(figures) / run.n), name
                assert sorted(records[record].seed for record in run.records) == list(
                    range(suite.seeds)
                )


def test_the_frozen_anchors_are_of_the_problems_that_the_tasks_pose_now():
    from bench.digests import digest
    from bench.runs.plan import Request, make_plan

    _, frozen = _suite.load(_suite.find(None))
    plan = make_plan(Request(all=True, seeds="1"), Registry())
    posed = {
        f"{cell.spec.track}/{cell.spec.task}/{cell.spec.preset}/{cell.spec.variant}": digest(
            cell.spec.task_params
        )
        for cell in plan.cells
    }
    changed = [
        name for name, cell in frozen.cells.items() if posed.get(name, cell.problem) != cell.problem
    ]
    assert changed == [], (
        "a frozen task has other parameters: give the suite a new version, or the task its "
        "parameters back"
    )


def test_a_board_is_what_its_schema_says(track, suite_file, schema_of):
    import jsonschema

    records = [
        *anchors(),
        *runs("m", 0.5),
        *runs("n", 0.5),
        made_up("demo", "up", "a", "x", 0, "acc", 0, status="oom"),
    ]
    board = bench_board(records, TASKS, {"suite": str(suite_file), "cards": CARDS})
    validator = jsonschema.validators.validator_for(schema_of)
    validator.check_schema(schema_of)
    written = json.loads(bench_render(board, "json"))
    wrong = [
        e.message for given in (board, written) for e in validator(schema_of).iter_errors(given)
    ]
    assert wrong == []


def test_a_board_of_committed_records_is_what_the_schema_says(schema_of):
    from bench.builtin.leaderboard._schema import check

    registry = Registry()
    board = bench_board(
        Store(Path(__file__).parents[2] / "docs" / "records").briefs(), registry.cards(), {}
    )
    assert board["tracks"]
    check(board)


def test_a_test_set_that_no_seed_changes_is_marked_beside_its_task(suite_file):
    tasks = TASKS | {"demo/down": msgspec.structs.replace(TASKS["demo/down"], test_set="official")}
    board = bench_board(
        [*anchors(), *runs("m", 0.9)], tasks, {"suite": str(suite_file), "cards": CARDS}
    )
    assert {cell["task"]: cell["test_set"] for cell in board["tracks"][0]["cells"]} == {
        "up": "drawn",
        "down": "official",
    }
    assert {table["task"]: table["test_set"] for table in board["tables"]} == {
        "up": "drawn",
        "down": "official",
    }
    page = bench_render(board, "md")
    assert "Fixed test set, the same rows for every seed: down (the data's own)." in page
    assert "### down · only · default · cpu · fixed test set" in page
    assert page.count("fixed test set") == 1  # not beside the task whose rows every seed draws
    unknown = bench_board([*anchors(), *runs("m", 0.9)], {}, {"suite": str(suite_file)})
    assert {cell["test_set"] for cell in unknown["tracks"][0]["cells"]} == {""}


@pytest.fixture(scope="module")
def schema_of():
    from bench.builtin.leaderboard._schema import schema

    return json.loads(schema())


def test_what_happens_to_the_first_place_when_a_task_is_left_out_is_said_with_the_names():
    from bench.builtin.leaderboard._track_facts import left_out

    held = {"leader": "m", "holds": 2, "of": 2, "without": {"up": "m", "down": "m"}}
    assert left_out(held) == "m stays first whichever task is left out (2 of 2)."
    lost = held | {"holds": 1, "without": {"up": "m", "down": "n"}}
    assert (
        left_out(lost)
        == "m stays first in 1 of 2 cases where one task is left out; else first: n without down."
    )


def test_markdown_and_latex_show_ranks_ties_and_reasons(suite_file):
    records = [*anchors(), *runs("m", 0.9), *runs("n", 0.3)]
    board = bench_board(records, TASKS, {"suite": str(suite_file), "cards": CARDS})
    page = bench_render(board, "md")
    assert page.startswith(
        "## Demo (demo)\n\nSuite small: mean normalised score over 2 tasks (3 variants), 3 seeds;"
    )
    assert "|   1 |       1 | **m**" in page
    assert "m stays first whichever task is left out (2 of 2)." in page
    assert "- No place: oracle (it sees the hidden part)." in page
    latex = bench_render(board, "latex")
    assert latex.count("\\toprule") == 1
    assert "& m " in latex
    assert "oracle" not in latex


def test_a_whole_suite_of_made_up_records_ranks_every_method_that_applies(tmp_path):
    registry = Registry()
    path = tmp_path / _suite.find(None).name  # without the anchors, which are of real records
    path.write_text(_suite.find(None).read_text())
    suite = _suite.read_suite(path)
    methods = {
        track: sorted(entry.name for entry in registry.rows("method") if entry.track == track)
        for track in ("selection", "privacy-audit")
    }
    records = whole_suite(suite, registry.cards(), methods)
    found = bench_board(records, registry.cards(), {"suite": str(path)})
    assert [track["track"] for track in found["tracks"]] == ["selection", "privacy-audit"]
    assert (
        sorted(row["method"] for row in found["tracks"][0]["rows"] if row["place"])
        == methods["selection"]
    )


def counted(method, score, total, *uncounted, **fields):
    """Return records of a method, the first seed of each row counted."""
    records = runs(method, score, **fields)
    return [
        msgspec.structs.replace(
            one, flops=Flops(total=total, uncounted=list(uncounted)) if one.seed == 0 else None
        )
        for one in records
    ]


def test_operations_are_summed_over_cells_and_a_lower_bound_is_on_no_front(track):
    cheap, dear = counted("m", 0.5, 10**9), counted("n", 0.9, 4 * 10**9)
    found = track(
        [*counted("null", 0.0, 2 * 10**9, reference="low"), *anchors()[9:], *cheap, *dear]
    )["by"]
    assert [found[name]["cost"]["flops"] for name in ("m", "n")] == [3e9, 12e9]
    assert [found[name]["front"]["flops"] for name in ("null", "m", "n")] == [False, True, True]
    free = track([*anchors(), *counted("m", 0.5, 5, "NumPy", "sklearn"), *dear])["by"]
    assert (
        free["m"]["cost"]["uncounted"],
        free["m"]["front"]["flops"],
        free["n"]["front"]["flops"],
    ) == ("NumPy; sklearn", False, True)


def test_a_method_that_one_cell_does_not_count_has_no_operations(track):
    records = [one for one in counted("m", 0.5, 10**9) if one.variant != "b" or one.seed]
    found = track([*anchors(), *counted("n", 0.5, 10**9), *records])["by"]
    assert (found["m"]["cost"]["flops"], found["m"]["front"]["flops"]) == (None, False)


def test_costs_that_nobody_counted_are_said_to_be_so(suite_file):
    visits = {"counters": {"forward": 10**6, "backward": 0}}
    records = [
        *anchors(),
        *counted("m", 0.5, 10**9, "NumPy", **visits),
        *counted("n", 0.6, 0, counters={"forward": 0, "backward": 0}),
    ]
    board = bench_board(records, TASKS, {"suite": str(suite_file), "cards": CARDS})
    text = bench_render(board, "md").partition("###")[0]
    cells = {
        line.split("|")[3].strip(" *"): [part.strip() for part in line.split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    }
    assert {"≥ 3", "3.00"} <= set(cells["m"])  # GFLOP and millions of visits, over three cells
    assert "not counted" not in cells["n"]  # nothing was computed, so no visit is right
    assert cells["null"].count("not counted") == 2
