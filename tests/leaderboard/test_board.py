"""The board, its renderings and the comparison of two methods, on made-up records."""

import csv
import io
import json
import shlex
import subprocess
import sys

import msgspec
import pytest
from bench.builtin.leaderboard.board import bench_board, bench_compare, bench_render
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cards import Metric, Preset, Reference, TaskCard
from bench.digests import digest
from bench.errors import ParameterError
from bench.runs.record import Failure, Record

CARD = TaskCard(
    name="toy",
    title="A toy",
    track="demo",
    metrics=(
        Metric(name="shown_only", direction="none"),
        Metric(name="acc", primary=True, unit="%", title="accuracy on the test set"),
        Metric(name="drop", direction="min", unit="points"),
    ),
    presets={"default": Preset(variants={"hard": {}, "easy": {}}, seeds=3)},
    references=(
        Reference(name="null", kind="low"),
        Reference(name="oracle", kind="high", solve="peek"),
    ),
)
TASKS = {"demo/toy": CARD}
ENVIRONMENT = {
    "versions": {"torch": "2.6"},
    "cpu_class": "x",
    "threads": 1,
    "files": {"m": "c"},
    "kernels": {"numpy_blas": "Haswell"},
}


def make(method, seed=0, acc=50.0, *, status="ok", code="k", **fields):
    """Return a record; the cell follows from its fields, as in a run."""
    fields = {
        "params": {},
        "task_params": {},
        "variant": "hard",
        "device": "cpu",
        "task": "toy",
        **fields,
    }
    cell = digest(
        [
            method,
            seed,
            fields["params"],
            fields["task_params"],
            fields["variant"],
            fields["device"],
            fields["task"],
        ]
    )
    metrics = {"acc": acc, "drop": None} if status == "ok" else {}
    return Record(
        **{
            "cell": cell,
            "key": digest([cell, code]),
            "track": "demo",
            "method": method,
            "preset": "default",
            "seed": seed,
            "dtype": "float32",
            "form": "single",
            "status": status,
            "metrics": metrics,
            "cost": {"solve_s": 1.5 + seed, "peak_rss_mb": 100.0 + seed, "stack": 1.0}
            if status == "ok"
            else {},
            "counters": {"forward": 2000, "backward": 1000} if status == "ok" else {},
            "error": None if status == "ok" else Failure(type="E", message="m"),
            "started": "2026-01-01T00:00:00.000+00:00",
            "ended": "2026-01-01T00:00:00.000+00:00",
            "provenance": ENVIRONMENT,
            **fields,
        }
    )


def several(method, *figures, **fields):
    """Return one record a seed."""
    return [make(method, seed, acc, **fields) for seed, acc in enumerate(figures)]


def null():
    return several("null", 50.0, 52.0, 51.0, reference="low")


def table(records, cards=TASKS, **options):
    tables = bench_board(records, cards, options)["tables"]
    assert len(tables) == 1
    return tables[0]


def rows(records, **options):
    return {row["method"]: row for row in table(records, **options)["rows"]}


def places(records, **options):
    return {name: row["place"] for name, row in rows(records, **options).items()}


def test_a_row_says_what_its_seeds_reached_and_cost():
    row = rows([*null(), *several("good", 90.0, 92.0, 94.0)])["good"]
    assert (row["n"], row["mean"], row["sd"], row["min"], row["max"]) == (3, 92.0, 2.0, 90.0, 94.0)
    assert (row["low"], row["high"]) == pytest.approx(
        (92 - 4.302652730 * 2 / 3**0.5, 92 + 4.302652730 * 2 / 3**0.5)
    )
    assert row["cost"] == {
        "solve_s": 2.5,
        "solve_cpu_s": None,
        "forward": 2000,
        "backward": 1000,
        "peak_rss_mb": 102.0,
        "stack": 1.0,
        "flops": None,
        "uncounted": "",
    }
    assert row["metrics"] == {"acc": 92.0, "shown_only": None, "drop": None}
    assert (row["statuses"], row["why"], len(row["record_ids"])) == ({"ok": 3}, "", 3)
    assert (row["vs_low"]["mean"], row["vs_low"]["n"]) == (41.0, 3)
    assert rows(null())["null"]["vs_low"] is None


def test_the_board_states_its_version_first_and_a_fixed_order_of_keys():
    board = bench_board(null(), TASKS, {})
    assert list(board) == [
        "schema_version",
        "kind",
        "suite",
        "classes",
        "tracks",
        "tables",
        "notes",
    ]
    assert list(board["tables"][0]) == [
        "track",
        "task",
        "preset",
        "variant",
        "task_params",
        "custom",
        "device",
        "test_set",
        "primary",
        "metrics",
        "columns",
        "seeds_expected",
        "rows",
        "notes",
    ]
    assert list(board["tables"][0]["rows"][0]) == [
        "place",
        "range",
        "leading",
        "method",
        "defaults",
        "params",
        "record_ids",
        "n",
        "mean",
        "sd",
        "low",
        "high",
        "min",
        "max",
        "metrics",
        "cost",
        "class",
        "statuses",
        "needs",
        "reference",
        "plain",
        "peeks",
        "custom",
        "tuned",
        "provisional",
        "stale",
        "mixed",
        "vs_low",
        "why",
        "worst",
        "warnings",
    ]


def stand(records, **options):
    return {
        name: (row["place"], row["range"], row["leading"])
        for name, row in rows(records, **options).items()
    }


def test_the_place_is_by_the_mean_the_range_by_all_pairs_and_the_leaders_are_those_not_separable_from_the_first():
    records = [
        *several("null", 50.0, 51.0, 50.5, 50.2, 49.9, reference="low"),
        *several("a", 90.0, 92.1, 91.0, 90.4, 91.5),
        *several("b", 91.0, 91.0, 90.5, 91.2, 90.8),
    ]
    assert stand(records) == {
        "a": (1, [1, 2], True),
        "b": (2, [1, 2], True),
        "null": (3, [3, 3], False),
    }
    page = bench_render(bench_board(records, TASKS, {}), "md")
    assert "|   1 |     1\N{EN DASH}2 | **a**" in page
    assert "|   3 |       3 | null" in page
    assert "Bold: not separable from the first." in page


def test_places_follow_the_means_however_unsure_a_row_is():
    figures = {
        "steady": (60.0, 60.1, 59.9, 60.0, 60.05),
        "noisy": (99.0, 20.0, 60.0, 5.0, 90.0),
        "low": (30.0, 30.1, 29.9, 30.0, 30.1),
    }
    found = stand([record for name, values in figures.items() for record in several(name, *values)])
    assert [(name, place) for name, (place, _, _) in found.items()] == [
        ("steady", 1),
        ("noisy", 2),
        ("low", 3),
    ]
    assert [(name, ends, leading) for name, (_, ends, leading) in found.items()] == [
        ("steady", [1, 2], True),
        ("noisy", [1, 3], True),
        ("low", [2, 3], False),
    ]


def test_where_less_is_better_the_smallest_leads():
    card = TaskCard(
        name="toy",
        title="t",
        track="demo",
        metrics=(Metric(name="acc", primary=True, direction="min"),),
        presets=CARD.presets,
    )
    board = bench_board([*null(), *several("small", 5.0, 7.1, 6.0)], {"demo/toy": card}, {})
    assert [(row["method"], row["place"]) for row in board["tables"][0]["rows"]] == [
        ("small", 1),
        ("null", 2),
    ]
    assert board["tables"][0]["rows"][0]["vs_low"]["mean"] > 0


def test_three_rows_that_no_seed_moves_are_told_apart_from_seven_seeds_on_and_have_no_interval():
    def ranges(seeds):
        found = rows(
            [
                record
                for name, value in (("a", 3.0), ("b", 2.0), ("c", 2.5))
                for record in several(name, *[value] * seeds)
            ]
        )
        assert {(row["low"], row["high"]) for row in found.values()} == {(None, None)}
        return {name: row["range"] for name, row in found.items()}

    assert ranges(7) == {"a": [1, 1], "c": [2, 2], "b": [3, 3]}
    assert ranges(5) == {"a": [1, 3], "c": [1, 3], "b": [1, 3]}, "few equal figures may be chance"


def test_a_row_that_equals_another_in_every_run_stands_below_it_without_a_place_and_is_in_no_pair():
    twin = [
        *several("null", 50.0, 52.0, 51.0, reference="low"),
        *several("a", 50.0, 52.0, 51.0),
        *several("b", 90.0, 92.1, 91.0),
        *several("c", 90.0, 92.1, 91.0),
    ]
    found = rows(twin)
    assert list(found) == ["b", "c", "null", "a"]
    assert {name: (row["place"], row["why"]) for name, row in found.items()} == {
        "b": (1, ""),
        "c": (None, "equal to b in every run"),
        "null": (2, ""),
        "a": (None, "equal to null in every run"),
    }
    assert (
        stand(twin)["b"]
        == stand([record for record in twin if record.method in ("null", "b")])["b"]
    )


def test_one_seed_gives_no_places():
    found = table(
        [make("null", reference="low"), make("good", acc=99.0), make("odd", acc=100.0, custom=True)]
    )
    assert [(row["method"], row["place"]) for row in found["rows"]] == [
        ("good", None),
        ("null", None),
        ("odd", None),
    ]
    assert found["notes"] == ["One seed: no places."]
    assert found["rows"][0]["low"] is None


def test_rows_without_common_seeds_have_no_place():
    records = [make("a", seed, 90.0 + seed) for seed in (0, 1)] + [
        make("b", seed, 50.0 + seed) for seed in (2, 3)
    ]
    assert places(records) == {"a": None, "b": None}


@given(st.permutations([10.0, 20.0, 40.0]), st.permutations([10.0, 20.0, 40.0]))
def test_methods_with_equal_means_share_the_place(one, other):
    found = places([*several("a", *one), *several("b", *other)])
    assert set(found.values()) == ({1, None} if one == other else {1})


def test_a_reference_that_peeks_never_gets_a_place():
    records = [*null(), *several("oracle", 98.0, 99.0, 97.0, reference="high", peeks=True)]
    found = rows(records)
    assert (found["oracle"]["place"], found["null"]["place"]) == (None, 1)
    assert "oracle ‡" in bench_render(bench_board(records, TASKS, {}), "md")


@pytest.mark.parametrize("value", [250.0, -1.0, 1e308])
def test_a_record_beyond_the_bounds_of_its_metric_leads_no_board_and_is_named(value):
    bounded = msgspec.structs.replace(CARD.metrics[1], bounds=(0, 100))
    tasks = {
        "demo/toy": msgspec.structs.replace(
            CARD, metrics=(CARD.metrics[0], bounded, CARD.metrics[2])
        )
    }
    records = [*null(), *several("good", 70.0, 71.0, 72.0), *several("forged", 71.0, value, 71.0)]
    board = bench_board(records, tasks, {})
    found = {row["method"]: row for row in board["tables"][0]["rows"]}
    assert found["forged"]["statuses"] == {"ok": 2, "invalid": 1}
    assert found["forged"]["max"] == 71.0
    assert board["tables"][0]["rows"][0]["method"] == "good"
    assert board["notes"] == [
        (
            f"Left out as invalid, with figures outside their metrics' bounds: acc = {value:g} of "
            "forged on toy, seed 1."
        )
    ]
    compared = bench_compare(records, tasks, "forged", "good", {})
    assert compared["rows"][0]["n"] == 2
    assert not bench_board(records, TASKS, {})["notes"] or value == 1e308


def test_failed_cells_are_rows_and_come_last():
    records = [
        *null(),
        *several("broken", 0, 0, 0, status="crashed"),
        make("flaky", 0, 99.0),
        make("flaky", 1, status="timeout"),
        make("flaky", 2, 98.0),
    ]
    found = rows(records)
    assert list(found) == ["null", "flaky", "broken"]
    assert (found["broken"]["statuses"], found["broken"]["mean"], found["broken"]["why"]) == (
        {"crashed": 3},
        None,
        "no run succeeded",
    )
    assert (found["flaky"]["statuses"], found["flaky"]["provisional"], found["flaky"]["place"]) == (
        {"ok": 2, "timeout": 1},
        True,
        None,
    )
    page = bench_render(bench_board(records, TASKS, {}), "md")
    assert "2 ok, 1 timeout" in page
    assert "status" not in bench_render(bench_board(null(), TASKS, {}), "md")


def test_a_row_with_fewer_seeds_is_provisional():
    found = rows([*null(), *several("new", 99.0, 98.0)])
    assert (found["new"]["provisional"], found["new"]["place"], found["new"]["why"]) == (
        True,
        None,
        "2 of 3 seeds",
    )


def test_a_row_with_other_seeds_is_provisional_however_many_it_has():
    records = [make("null", seed, 10.0 + seed, reference="low") for seed in range(3)] + [
        make("other", seed, 90.0) for seed in (1, 2, 7)
    ]
    found = rows(records)
    assert (found["other"]["provisional"], found["other"]["place"], found["other"]["why"]) == (
        True,
        None,
        "3 of 4 seeds",
    )


def test_a_custom_row_with_many_seeds_makes_no_other_row_provisional():
    assert places([*null(), *several("odd", 1.0, 2.0, 3.0, 4.0, custom=True)]) == {
        "null": 1,
        "odd": None,
    }


def test_custom_parameters_are_shown_below_and_named():
    records = [
        *null(),
        *several("m", 60.0, 61.5, 62.0, params={"a": 1, "b": 2}),
        *several("m", 90.0, 91.0, 93.0, params={"a": 1, "b": 3}, custom=True),
    ]
    assert places(records) == {"m[b=2]": 1, "null": 2, "m[b=3]": None}
    assert list(rows(records))[-1] == "m[b=3]"
    assert "m[a=1,b=3]" in rows([*null(), *records[6:]])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"gates": {"sane": False}}, "seed 0 fails the gate sane"),
        ({"not_rankable": "nothing to tell apart"}, "nothing to tell apart"),
    ],
)
def test_a_row_that_says_so_or_misses_a_gate_has_no_place(fields, reason):
    row = rows([*null(), *several("m", 90.0, 91.0, 92.0, **fields)])["m"]
    assert (row["place"], row["why"]) == (None, reason)


@pytest.mark.parametrize(
    "other", [{"versions": {"torch": "2.7"}}, {"threads": 2}, {"files": {"m": "d"}}]
)
def test_a_mean_over_two_environments_is_mixed_and_has_no_place(other):
    records = [
        *null(),
        *several("m", 90.0, 91.0),
        make("m", 2, 92.0, provenance=ENVIRONMENT | other),
    ]
    row = rows(records)["m"]
    assert (row["mixed"], row["place"]) == (True, None)
    assert any(name in row["why"] for name in (*other, "torch"))


def test_rows_of_two_environments_have_places_with_a_note():
    found = table(
        [
            *null(),
            *several(
                "m", 90.0, 91.1, 92.0, provenance=ENVIRONMENT | {"versions": {"torch": "2.7"}}
            ),
        ]
    )
    assert [row["place"] for row in found["rows"]] == [1, 2]
    assert "torch" in found["notes"][0]


def test_the_newest_ok_record_speaks_for_a_cell():
    old, new = (
        make("null", 0, 10.0, reference="low"),
        make("null", 0, 20.0, reference="low", ended="2026-01-02T00:00:00.000+00:00", code="k2"),
    )
    failed = make(
        "null",
        0,
        status="failed",
        reference="low",
        ended="2026-01-03T00:00:00.000+00:00",
        code="k3",
    )
    again = make(
        "null",
        0,
        30.0,
        reference="low",
        ended="2026-01-02T00:00:00.000+00:00",
        code="k2",
        attempt=2,
    )
    assert rows([new, old, failed])["null"]["mean"] == 20.0
    assert rows([again, new, old])["null"]["mean"] == 30.0


def test_a_stale_record_speaks_only_where_there_is_no_live_one_and_is_marked():
    old, live = (
        make("null", 0, 10.0, reference="low"),
        make("null", 0, status="failed", reference="low", code="k2"),
    )
    assert rows([old, live], stale={old.id})["null"]["statuses"] == {"failed": 1}
    assert rows([old], stale={old.id})["null"]["stale"]
    assert "null (stale)" in bench_render(bench_board([old], TASKS, {"stale": {old.id}}), "md")


def test_options_choose_records_and_the_null_stays():
    records = [
        *null(),
        *several("a", 1.0, 2.0, 3.0),
        *several("b", 1.0, 2.0, 3.0),
        *several("a", 1.0, 2.0, 4.0, task="other"),
    ]
    assert list(rows(records, methods=["a"], tasks=["demo/toy"])) == ["null", "a"]
    assert [
        found["task"] for found in bench_board(records, TASKS, {"track": "demo"})["tables"]
    ] == ["other", "toy"]
    assert bench_board(records, TASKS, {"track": "else"})["tables"] == []
    assert bench_board(records, TASKS, {"preset": "smoke"})["notes"] == [
        (
            "No record fits what was asked for; there are records of demo/other (default), "
            "demo/toy (default)."
        )
    ]
    assert "bench run" in bench_board([], TASKS, {})["notes"][0]


def test_variants_come_in_the_order_of_the_card_and_devices_apart():
    records = [
        make("null", variant=variant, device=device)
        for variant in ("zoo[x=1]", "easy", "hard")
        for device in ("cuda", "cpu")
    ]
    found = [
        (item["variant"], item["device"]) for item in bench_board(records, TASKS, {})["tables"]
    ]
    assert found == [
        (variant, device) for variant in ("hard", "easy", "zoo[x=1]") for device in ("cpu", "cuda")
    ]


def test_other_task_parameters_make_another_table_that_says_so():
    tables = bench_board(
        [make("null", task_params={"epochs": 5}), make("null", task_params={"epochs": 60})],
        TASKS,
        {},
    )["tables"]
    assert sorted(note for found in tables for note in found["notes"] if "epochs" in note) == [
        "Another table of this name has other task parameters; here epochs=5.",
        "Another table of this name has other task parameters; here epochs=60.",
    ]


def test_a_task_that_is_no_longer_installed_is_shown_by_name_and_says_so():
    found = table(
        [
            *several("b", 1.0, 2.0, 3.0),
            *several("a", 7.0, 8.0, 9.0),
            *several("c", 0, 0, 0, status="oom"),
        ],
        cards={},
    )
    assert [row["method"] for row in found["rows"]] == ["a", "b", "c"]
    assert {row["place"] for row in found["rows"]} == {None}
    assert found["primary"]["name"] == "acc"
    assert "not installed" in found["notes"][1]


def test_a_table_without_its_null_says_how_to_get_it():
    assert table(several("m", 1.0, 2.0, 3.0))["notes"] == [
        (
            "The baseline is missing; run: bench run --method demo/null --task demo/toy --preset "
            "default --variant hard --seeds 0-2 --device cpu"
        )
    ]


def test_the_command_for_a_missing_null_runs_the_same_problem():
    records = [make("m", seed, 1.0, variant="easy[x=1,y=a]") for seed in (0, 1, 5)]
    (note,) = table(records)["notes"]
    assert note.endswith(
        "--task 'demo/toy[x=1,y=a]' --preset default --variant easy --seeds 0-1,5-5 --device cpu"
    )


@pytest.mark.parametrize(
    "variant", ["sym40 $(touch pwned)", "easy[file=it's|x.csv]", "`id`", "a;b && c"]
)
def test_commands_hand_what_records_say_to_a_shell_as_words(variant):
    name, _, inside = variant.partition("[")
    records = [make("m", seed, 1.0, variant=variant) for seed in range(2)]
    (note,) = table(records)["notes"]
    strangers = bench_compare(records, TASKS, "m", "new[x='$(id)']", {})["notes"][-1]
    for said in (note, strangers):
        words = shlex.split(said.partition("; run: ")[2])
        assert words[:2] == ["bench", "run"]
        options = dict(zip(words[2::2], words[3::2], strict=True))
        assert options["--variant"] == name
        assert options["--task"] == "demo/toy" + (f"[{inside}" if inside else "")
    assert options["--method"] == "new[x='$(id)']"


@pytest.mark.parametrize("status", ["invalid", "failed", "timeout"])
def test_a_null_that_ran_and_is_not_ok_is_not_called_missing(status):
    nulls = [
        make(
            "null",
            seed,
            status=status,
            reference="low",
            error=Failure(type="InvalidRun", message="not finite at report 3."),
        )
        for seed in range(3)
    ]
    (note,) = table([*several("m", 1.0, 2.0, 3.0), *nulls])["notes"]
    assert note.startswith(
        f"The baseline ran, and none of its 3 runs can be used (3 {status}; InvalidRun: not finite at "
        "report 3). Fix that, and run: bench run "
    )
    assert "missing" not in note


grids = st.dictionaries(
    st.sampled_from("abcdef"),
    st.dictionaries(st.integers(0, 4), st.floats(0, 100), min_size=1),
    min_size=1,
    max_size=5,
)


def records_of(grid):
    return [
        make(method, seed, acc, reference="low" if method == "a" else "")
        for method, figures in grid.items()
        for seed, acc in figures.items()
    ]


@settings(max_examples=40, deadline=None)
@given(grids, st.randoms(), st.data())
def test_the_order_of_records_changes_no_byte(grid, random, data):
    records = records_of(grid)
    broken = data.draw(st.sets(st.sampled_from(range(len(records)))))
    records += [
        make(record.method, record.seed, status="failed", code="k2")
        for position, record in enumerate(records)
        if position in broken
    ]
    shuffled = list(records)
    random.shuffle(shuffled)
    for format in ("md", "json", "csv"):
        assert bench_render(bench_board(records, TASKS, {}), format) == bench_render(
            bench_board(shuffled, TASKS, {}), format
        )
        assert bench_render(bench_compare(records, TASKS, "a", "b", {}), format) == bench_render(
            bench_compare(shuffled, TASKS, "a", "b", {}), format
        )


@settings(max_examples=40, deadline=None)
@given(grids, st.lists(st.floats(0, 100), min_size=1, max_size=6))
def test_adding_a_method_moves_nobodys_mean_interval_or_difference_to_the_null(grid, figures):
    before, after = rows(records_of(grid)), rows([*records_of(grid), *several("new", *figures)])
    for name, row in before.items():
        for key in ("mean", "sd", "low", "high", "n", "metrics", "cost"):
            assert after[name][key] == row[key]
        for key in ("mean", "low", "high", "p", "n") if row["vs_low"] else ():
            assert after[name]["vs_low"][key] == row["vs_low"][key]


@settings(max_examples=60)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_json_holds_no_nan_whatever_the_figures(huge, small):
    records = [
        *several("null", *small, reference="low"),
        *several("huge", *huge),
        *several("none", *[None] * len(huge)),
    ]
    board = bench_board(records, TASKS, {})
    assert json.loads(bench_render(board, "json"), parse_constant=pytest.fail) == board
    comparison = bench_compare(records, TASKS, "null", "huge", {})
    assert json.loads(bench_render(comparison, "json"), parse_constant=pytest.fail) == comparison
    for format in ("md", "csv"):
        assert "nan" not in bench_render(board, format)
        assert "nan" not in bench_render(comparison, format)


HOSTILE = "=1|x`<b>\n\x1b[1m](http://e)&*"


@pytest.mark.parametrize("kind", ["board", "comparison"])
def test_hostile_names_are_escaped_in_markdown(kind):
    records = several(
        HOSTILE, 1.0, 2.0, 3.0, needs=[HOSTILE], variant=HOSTILE, not_rankable=HOSTILE
    )
    name = HOSTILE.replace("[", "")
    made = (
        bench_board(records, TASKS, {})
        if kind == "board"
        else bench_compare(several(name, 1.0, 2.0, variant=HOSTILE), TASKS, name, name, {})
    )
    page = bench_render(made, "md")
    assert not any(piece in page for piece in ("|x", "`", "<b>", "\x1b", "](", "*"))
    grid = [line for line in page.splitlines() if line.startswith("|")]
    assert len(grid) == 3
    assert len({line.count("|") for line in grid}) == 1


def test_a_spreadsheet_runs_nothing_from_a_csv():
    text = bench_render(
        bench_board(several(HOSTILE, -1.0, -2.0, -3.0, variant="@x", task_params={"a": 1}), {}, {}),
        "csv",
    )
    (line,) = csv.DictReader(io.StringIO(text))
    assert line["method"].startswith("'=1|x`<b> ")
    assert line["variant"] == "'@x"
    assert float(line["mean"]) == -2.0
    assert text.count("\n") == 2


def test_csv_has_full_precision_and_one_line_a_row():
    lines = list(
        csv.DictReader(
            io.StringIO(
                bench_render(bench_board([*null(), *several("m", 0.1, 0.2, 0.7)], TASKS, {}), "csv")
            )
        )
    )
    assert [line["method"] for line in lines] == ["null", "m"]
    assert float(lines[1]["mean"]) == (0.1 + 0.2 + 0.7) / 3
    assert (lines[1]["peeks"], lines[0]["vs_low.mean"], lines[0]["statuses"]) == (
        "false",
        "",
        "3 ok",
    )


def test_markdown_shows_marks_and_a_legend_for_those_alone():
    page = bench_render(
        bench_board([*null(), *several("m", 90.0, 91.0, needs=["rate"])], TASKS, {}), "md"
    )
    assert page.startswith(
        "### toy · hard · default · cpu\n\nAccuracy on the test set (acc, %, higher is better).\n"
    )
    assert "m †\\*" in page
    assert "† needs more than the problem: rate." in page
    assert "‡" not in page
    assert "stale" not in page


def test_other_formats_are_left_to_other_plugins():
    assert bench_render(bench_board([], TASKS, {}), "html") is None


def test_a_comparison_is_paired_and_positive_where_the_first_is_better():
    records = [*null(), *several("good", 90.0, 92.1, 91.0), make("good", 7, 99.0)]
    found = bench_compare(records, TASKS, "good", "demo/null", {})
    (row,) = found["rows"]
    assert list(row) == [
        "track",
        "task",
        "preset",
        "variant",
        "device",
        "class",
        "n",
        "a_mean",
        "b_mean",
        "difference",
        "low",
        "high",
        "p",
        "p_holm",
        "verdict",
        "leans",
        "seeds_needed",
    ]
    assert (row["n"], row["verdict"], row["b_mean"]) == (3, "better", 51.0)
    assert row["difference"] == pytest.approx(row["a_mean"] - row["b_mean"])
    assert found["notes"] == ["In demo/toy default hard cpu only good has seed 7."]
    assert bench_compare(records, TASKS, "null", "good", {})["rows"][0]["verdict"] == "worse"
    assert bench_compare(records, TASKS, "null", "null", {})["rows"][0]["verdict"] == "equal"
    assert (
        bench_compare(several("x", 1.0, 2.0) + several("y", 2.0, 1.0), TASKS, "x", "y", {})["rows"][
            0
        ]["verdict"]
        == "undecided"
    )


@pytest.mark.parametrize("seeds", [2, 5])
def test_up_to_five_equal_differences_decide_nothing_in_a_comparison_or_against_the_baseline(seeds):
    shares = [100 * right / 114 for right in (60, 61, 63, 70, 65)[:seeds]]
    records = [
        *several("m", *(share + 200 / 114 for share in shares)),
        *several("n", *(share + 100 / 114 for share in shares)),
        *several("null", *shares, reference="low"),
    ]
    found = bench_compare(records, TASKS, "m", "n", {})
    (row,) = found["rows"]
    p = 2.0 ** (1 - seeds)
    assert (row["low"], row["high"], row["p"], row["p_holm"]) == (None, None, p, p)
    assert row["difference"] == pytest.approx(100 / 114)
    assert (row["verdict"], row["leans"], row["seeds_needed"]) == ("undecided", "", None)
    assert "+0.88 [" not in bench_render(found, "md")
    assert "+0.88" in bench_render(found, "md")
    against = rows(records)["m"]["vs_low"]
    assert (against["low"], against["p"], against["p_holm"]) == (None, p, min(1.0, 2 * p))
    assert rows(records)["m"]["range"] == [1, 3]


def test_six_equal_differences_decide_alone():
    shares = [60.0, 61.0, 63.5, 70.0, 65.0, 66.0]
    records = [*several("m", *(share + 1 for share in shares)), *several("n", *shares)]
    (row,) = bench_compare(records, TASKS, "m", "n", {})["rows"]
    assert (row["low"], row["p"], row["verdict"]) == (None, 1 / 32, "better")


@pytest.mark.parametrize(
    ("ours", "theirs", "shown"),
    [
        ((12345.6, 12346.6, 12344.5), (12345.2, 12346.2, 12344.2), "+0.37 [+0.22, +0.51]"),
        (
            (50.003, 50.0031, 50.0029),
            (50.0, 50.0, 50.0),
            "+0.0030 [+0.0028, +0.0032]",
        ),
        (
            (3.1e-10, 3.2e-10, 3e-10),
            (1.1e-10, 1.2e-10, 1.05e-10),
            "+1.98e-10 [+1.91e-10, +2.06e-10]",
        ),
    ],
)
def test_a_difference_beside_a_verdict_shows_its_sign_and_size(ours, theirs, shown):
    found = bench_compare([*several("x", *ours), *several("y", *theirs)], TASKS, "x", "y", {})
    text = bench_render(found, "md")
    assert (found["rows"][0]["verdict"], shown in text) == ("better", True), text


def test_a_tiny_metric_is_shown_with_an_exponent_and_no_tables_decimals_grow_without_need():
    tiny = TaskCard(
        name="toy",
        title="t",
        track="demo",
        metrics=(Metric(name="acc", primary=True),),
        presets=CARD.presets,
    )
    figures = several("m", 3.1e-10, 3.2e-10, 3.0e-10)
    page = bench_render(bench_board(figures, {"demo/toy": tiny}, {}), "md")
    assert ("3.1e-10" in page, "0.00000000" in page) == (True, False)
    unsure = bench_render(
        bench_compare(
            [*several("x", 50.4, 50.0, 49.6), *several("y", 50.0, 50.4, 49.597)],
            TASKS,
            "x",
            "y",
            {},
        ),
        "md",
    )
    assert "0.00 [-0.99, +0.99]" in unsure


def test_an_undecided_comparison_leans_and_says_how_many_seeds_would_decide():
    tables = [
        record
        for variant, shift in (("hard", 0.0), ("easy", 40.0))
        for name, figures in (
            ("x", (3.1 + shift, 4.0 + shift, 5.2 + shift)),
            ("y", (2.0, 3.5, 3.6)),
        )
        for record in several(name, *figures, variant=variant)
    ]
    found = bench_compare(tables, TASKS, "x", "y", {})
    row = found["rows"][0]
    assert (row["verdict"], row["leans"], row["seeds_needed"] > 3) == ("undecided", "", True)
    close = [
        record
        for variant in ("hard", "easy")
        for name, figures in (("x", (2.65, 4.2, 5.145)), ("y", (2.0, 3.2, 3.8)))
        for record in several(name, *figures, variant=variant)
    ]
    shy = bench_compare(close, TASKS, "x", "y", {})
    assert [(row["verdict"], row["leans"]) for row in shy["rows"]] == [("undecided", "+")] * 2
    assert f"leans +, {shy['rows'][0]['seeds_needed']} seeds would decide" in bench_render(
        shy, "md"
    )
    same = bench_compare(several("x", 1.0, 2.0) + several("y", 2.0, 1.0), TASKS, "x", "y", {})[
        "rows"
    ][0]
    assert (same["verdict"], same["leans"], same["seeds_needed"]) == ("undecided", "", None)


def test_methods_are_compared_on_a_task_with_parameters_of_its_own():
    mine = {"variant": "hard[file=mine.csv]", "custom": True}
    records = [*several("m", 60.0, 61.0, 62.5, **mine), *several("n", 70.0, 71.0, 72.0, **mine)]
    (row,) = bench_compare(records, TASKS, "m", "n", {})["rows"]
    assert (row["variant"], row["n"]) == ("hard[file=mine.csv]", 3)
    assert row["difference"] == pytest.approx((60 + 61 + 62.5 - 70 - 71 - 72) / 3)


def test_a_comparison_takes_parameters_and_else_the_defaults():
    records = [
        *several("m", 60.0, 61.0, 62.5, params={"a": 1.0, "b": "x"}),
        *several("m", 70.0, 71.0, 72.0, params={"a": 0.5, "b": "x"}, custom=True),
        *several("m", 80.0, 81.0, 82.0, params={"a": 0.5, "b": "y"}, custom=True),
    ]
    assert bench_compare(records, TASKS, "m[a=.5,b=x]", "m", {})["rows"][0]["a_mean"] == 71.0
    same = bench_compare(records, TASKS, "m[a=1]", "m", {})
    assert (same["rows"][0]["verdict"], same["notes"]) == (
        "equal",
        ["In demo/toy default hard cpu m[a=1] and m are the same runs."],
    )
    assert bench_compare(records, TASKS, "m[a=.5]", "m", {})["notes"] == [
        (
            "Several rows of demo/toy default hard cpu are m[a=.5]: m[a=0.5,b=x], m[a=0.5,b=y]. "
            "The newest, m[a=0.5,b=y], is compared."
        ),
    ]
    assert bench_compare(records, TASKS, "m[a=word]", "m", {})["rows"] == []
    with pytest.raises(ParameterError):
        bench_compare(records, TASKS, "m[a", "m", {})


def test_a_comparison_of_strangers_says_what_to_run():
    found = bench_compare(null(), TASKS, "new", "null", {})
    assert found["rows"] == []
    assert found["notes"] == [
        (
            "No seed of a task is common to new and null; run: bench run --method new --task "
            "demo/toy --preset default --variant hard --seeds 0-2 --device cpu"
        )
    ]
    assert "--method a --method b" in bench_compare([], TASKS, "a", "b", {})["notes"][0]
    assert bench_render(bench_compare([], TASKS, "a", "b", {}), "csv") == ""


def test_the_board_imports_neither_torch_nor_a_worker():
    code = (
        "import sys, bench.builtin.leaderboard.board; print([name for name in ('torch', "
        "'sklearn', 'bench.runs.worker', 'scipy.stats') if name in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_a_table_is_remembered_as_it_was_made_until_anything_it_depends_on_changes(tmp_path):
    from bench.runs.store import Store

    store, kept, built = Store(tmp_path), {}, []
    store.open_for_writing()
    records = [
        *null(),
        *several("m", 90.0, 91.0, 93.0),
        *several("m", 80.0, 81.0, 83.0, variant="easy"),
    ]
    for record in records:
        store.write(record)

    def memo(name, build):
        if name not in kept:
            built.append(name)
            kept[name] = json.dumps(build())
        return json.loads(kept[name])

    def board(tasks=TASKS, **options):
        briefs = store.briefs()
        plain, remembered = (
            bench_board(briefs, tasks, options),
            bench_board(briefs, tasks, {**options, "memo": memo}),
        )
        assert all(
            bench_render(plain, style) == bench_render(remembered, style)
            for style in ("md", "json", "csv")
        )
        made, built[:] = len(built), []
        return made

    assert bench_render(bench_board(store.briefs(), TASKS, {}), "json") == bench_render(
        bench_board(records, TASKS, {}), "json"
    )
    assert [board(), board()] == [2, 0]
    assert [board(stale={records[0].id}), board(stale={records[0].id})] == [1, 0]
    store.write(make("m", 3, 95.0))
    assert [board(), board()] == [1, 0]
    path = next(tmp_path.rglob(f"{records[-1].id}.json"))
    path.write_text(path.read_text().replace("83.0", "84.0"))
    assert [board(), board()] == [1, 0]
    other = TaskCard(
        name="toy",
        title="t",
        track="demo",
        metrics=(Metric(name="acc", primary=True, direction="min"),),
        presets=CARD.presets,
    )
    assert [board({"demo/toy": other}), board({"demo/toy": other})] == [2, 0]


def test_a_tuned_row_has_no_place_and_says_among_how_many_settings_it_was_chosen():
    tuning = {
        "metric": "val",
        "split": {"holdout": 0.2},
        "seeds": [1, 2],
        "trials": [{}, {}, {}],
        "seconds": 4.0,
    }
    found = rows(
        [
            *null(),
            *several("m", 60.0, 61.5, 62.0),
            *several("m", 90.0, 91.0, 93.0, tuning=tuning, params={"a": 1}, custom=True),
        ]
    )
    row = found["m[a=1] (tuned)"]
    assert (row["place"], row["tuned"]) == (
        None,
        {"trials": 3, "seeds": 2, "metric": "val", "split": {"holdout": 0.2}, "seconds": 4.0},
    )
    assert (
        row["why"] == "its parameters were chosen among 3 settings by val on held-out training data"
    )
    assert [name for name, other in found.items() if other["place"]] == ["m", "null"]
