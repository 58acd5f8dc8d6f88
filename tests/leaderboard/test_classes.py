"""Boards over several classes of machines: the runs of one task, variant
and seed share a class, and nothing else is compared.
"""

import random

import msgspec
import pytest
from bench.builtin.leaderboard._classes import compared_runs
from bench.builtin.leaderboard._schema import check
from bench.builtin.leaderboard.board import bench_board, bench_compare, bench_freeze, bench_render
from board_toy import CARDS, ENVIRONMENT, TASKS, made_up, whole_suite

from bench.builtin.leaderboard import _suite
from bench.digests import digest

WIDE = ENVIRONMENT | {
    "cpu_class": "x86_64-GenuineIntel-avx512",
    "kernels": {"numpy_blas": "openblas 0.3.30 SkylakeX"},
}
NARROW = ENVIRONMENT | {
    "cpu_class": "x86_64-AuthenticAMD-avx2",
    "kernels": {"numpy_blas": "openblas 0.3.30 Zen"},
}


def on(records, provenance, shift=0.0, slower=1.0):
    """Return records as another class of machine would have made them:
    with a key of its own, other last bits and other seconds.
    """
    return [
        msgspec.structs.replace(
            record,
            provenance=provenance,
            key=digest([record.key, provenance is WIDE]),
            metrics={name: value + shift for name, value in record.metrics.items()},
            cost={
                name: value * slower if name.endswith("_s") else value
                for name, value in record.cost.items()
            },
        )
        for record in records
    ]


@pytest.fixture
def records(suite_file):
    return whole_suite(_suite.read_suite(suite_file), TASKS, {"demo": ["m", "n", "null", "o"]})


@pytest.fixture
def board(suite_file):
    def make(records, **options):
        found = bench_board(records, TASKS, {"suite": str(suite_file), "cards": CARDS, **options})
        check(found)
        return found

    return make


def without(board, *names):
    """Return a board without what differs between classes, and without ids."""
    text = msgspec.json.decode(msgspec.json.encode(board))

    def strip(value):
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in names}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(text)


def test_records_split_over_two_classes_by_seed_rank_exactly_as_on_one(records, board):
    whole = board(on(records, NARROW))
    split = board(
        [
            *on([record for record in records if record.seed != 1], NARROW),
            *on([record for record in records if record.seed == 1], WIDE),
        ]
    )
    assert any(row["place"] for row in whole["tracks"][0]["rows"])
    said = ("classes", "class", "notes", "record_ids")
    assert without(split, *said, "cost") == without(whole, *said, "cost")
    assert [len(whole["classes"]), len(split["classes"])] == [1, 2]
    assert {row["class"] for row in split["tracks"][0]["rows"] if row["ok"]} == {
        "AMD avx2, Intel avx512"
    }


def test_a_method_on_another_class_at_one_seed_is_not_compared_there_and_its_row_says_so(
    records, board
):
    away = [
        record
        for record in records
        if record.method == "m" and record.seed == 1 and record.variant == "a"
    ]
    rest = [record for record in records if record not in away]
    found = board([*on(rest, NARROW), *on(away, WIDE, shift=1000.0)])
    rows = {row["method"]: row for row in found["tracks"][0]["rows"]}
    assert (rows["m"]["place"], rows["m"]["provisional"]) == (None, True)
    assert rows["m"]["why"] == "1 run missing; up a, seed 1: run on another class than the others"
    assert all(rows[name]["place"] for name in ("n", "o", "null"))
    table = next(table for table in found["tables"] if table["variant"] == "a")
    row = next(row for row in table["rows"] if row["method"] == "m")
    assert (row["place"], row["n"], row["why"]) == (
        None,
        2,
        "2 of 3 seeds; seed 1: run on another class than the others",
    )
    assert row["vs_low"]["n"] == 2
    assert row["max"] < 1000
    assert "seed 1: run on another class than the others" in bench_render(found, "md")


def test_a_method_on_another_class_at_all_seeds_is_a_row_without_figures(records, board):
    away = [record for record in records if record.method == "m"]
    found = board(
        [*on([record for record in records if record.method != "m"], NARROW), *on(away, WIDE)]
    )
    for table in found["tables"]:
        row = next(row for row in table["rows"] if row["method"] == "m")
        assert (row["n"], row["mean"], row["class"], row["why"]) == (
            0,
            None,
            "",
            "seeds 0, 1, 2: run on another class than the others",
        )
    track = next(row for row in found["tracks"][0]["rows"] if row["method"] == "m")
    assert (track["place"], track["ok"]) == (None, 0)
    assert track["why"].startswith(
        "12 runs missing; up a, seeds 0, 1, 2: run on another class"
    ) or track["why"].startswith("9 runs missing; up a, seeds 0, 1, 2")


def test_of_several_classes_that_which_most_methods_ran_on_is_taken_in_any_order(records):
    both = [
        *on(records, NARROW),
        *on([record for record in records if record.method in ("m", "null")], WIDE, shift=5.0),
    ]
    kept = compared_runs(both, set())
    assert {kept.classes.named([record]) for record in kept.records} == {"AMD avx2"}
    assert not kept.aside
    flipped = compared_runs(
        [
            *on(records, WIDE),
            *on([record for record in records if record.method in ("m", "null")], NARROW),
        ],
        set(),
    )
    assert {flipped.classes.named([record]) for record in flipped.records} == {"Intel avx512"}
    order = random.Random(3)
    for _ in range(5):
        order.shuffle(both)
        again = compared_runs(both, set())
        assert [record.id for record in again.records] == [record.id for record in kept.records]


def test_runs_of_todays_code_decide_before_stale_ones_and_failing_moves_no_class(records):
    narrow, wide = (
        on(records, NARROW),
        on([record for record in records if record.method in ("m", "null")], WIDE),
    )
    stale = {record.id for record in narrow}
    assert {
        compared_runs([*narrow, *wide], stale).classes.named([record])
        for record in compared_runs([*narrow, *wide], stale).records
        if record.method == "m"
    } == {"Intel avx512"}
    some = [record for record in records if record.method in ("m", "null")]
    tie = [*on(some, NARROW), *on(some, WIDE)]
    before = compared_runs(tie, set())
    failed = [
        msgspec.structs.replace(record, status="crashed", metrics={})
        if record.method == "m" and record in before.records
        else record
        for record in tie
    ]
    after = compared_runs(failed, set())
    assert {after.classes.named([record]) for record in after.records} == {
        before.classes.named([record]) for record in before.records
    }


def test_the_class_of_a_seed_does_not_hang_on_which_methods_are_shown(records, board):
    away = on([record for record in records if record.method == "m"], WIDE)
    found = board(
        [*on([record for record in records if record.method != "m"], NARROW), *away], methods=["m"]
    )
    assert {
        row["n"] for table in found["tables"] for row in table["rows"] if row["method"] == "m"
    } == {0}
    assert all("m" in [row["method"] for row in table["rows"]] for table in found["tables"])


def test_seconds_are_of_one_class_alone(records, board):
    narrow = on([record for record in records if record.seed != 1], NARROW)
    found = board(
        [*narrow, *on([record for record in records if record.seed == 1], WIDE, slower=100.0)]
    )
    alone = board(narrow)
    for mixed, single in zip(found["tables"], alone["tables"], strict=True):
        assert {row["method"]: row["cost"]["solve_s"] for row in mixed["rows"]} == {
            row["method"]: row["cost"]["solve_s"] for row in single["rows"]
        }
        assert mixed["notes"][-1] == (
            "The runs of a seed share a class of machine: seeds 0, 2 on AMD avx2; seed 1 "
            "on Intel avx512. Seconds are of AMD avx2 alone."
        )
    costs = [
        {row["method"]: row["cost"]["seconds"] for row in one["tracks"][0]["rows"]}
        for one in (found, alone)
    ]
    assert costs[0] == costs[1]
    assert "Seconds are of AMD avx2 alone." in found["tracks"][0]["notes"][-1]


def test_the_class_is_a_column_where_there_are_several_and_named_once_where_there_is_one(
    records, board
):
    one = bench_render(board(on(records, NARROW)), "md")
    assert "All runs are of one class of machine: AMD avx2 (x86_64-AuthenticAMD-avx2;" in one
    assert "class |" not in one
    split = board(
        [
            *on([record for record in records if record.seed != 1], NARROW),
            *on([record for record in records if record.seed == 1], WIDE),
        ]
    )
    text = bench_render(split, "md")
    assert text.count("| class ") == 1 + len(split["tables"])
    assert "AMD avx2, Intel avx512" in text
    assert "The runs are of 2 classes of machines, and compared within one alone" in text
    assert ",class," in bench_render(split, "csv").splitlines()[0]


def test_a_comparison_loses_the_seeds_that_two_methods_ran_on_different_classes(records):
    pair = [record for record in records if record.method in ("m", "n")]
    split = [
        *on([record for record in pair if record.seed != 2 or record.method == "m"], NARROW),
        *on([record for record in pair if record.seed == 2 and record.method == "n"], WIDE),
    ]
    found = bench_compare(split, TASKS, "m", "n", {})
    assert {row["n"] for row in found["rows"]} == {2}
    assert any(
        "seed 2 is not compared: m and n ran there on different classes of machines." in note
        for note in found["notes"]
    )
    assert {row["class"] for row in found["rows"]} == {"AMD avx2"}
    together = [
        *split,
        *on([record for record in pair if record.seed == 2 and record.method == "m"], WIDE),
    ]
    assert {row["n"] for row in bench_compare(together, TASKS, "m", "n", {})["rows"]} == {3}
    none = [
        *on([record for record in pair if record.method == "m"], NARROW),
        *on([record for record in pair if record.method == "n"], WIDE),
    ]
    found = bench_compare(none, TASKS, "m", "n", {})
    assert found["rows"] == []
    assert found["notes"][-1].startswith(
        "m and n ran on different classes of machines; run, on a machine of AMD avx2: bench run "
        "--method n "
    )


def test_anchors_of_another_class_are_not_called_missing_but_asked_for_on_the_class_of_the_others(
    records, board
):
    anchors = [record for record in records if record.method in ("null", "oracle")]
    (track,) = board(
        [*on(anchors, WIDE), *on([record for record in records if record not in anchors], NARROW)]
    )["tracks"]
    assert track["notes"][1] == (
        "The anchors of down, up ran on another class of machine than the others; run, on a "
        "machine of AMD avx2: bench run --track demo --method null,oracle --task down,up --preset "
        "default --seeds 3 --device cpu"
    )


def test_anchors_are_frozen_over_seeds_of_several_classes(records, suite_file):
    split = [
        *on([record for record in records if record.seed != 1], NARROW),
        *on([record for record in records if record.seed == 1], WIDE),
    ]
    said = bench_freeze(split, TASKS, {"suite": str(suite_file)})
    assert any("froze the anchors of 3 cells" in text for text in said)


def test_classes_that_differ_in_their_kernels_alone_are_told_apart_by_them(records):
    other = NARROW | {"kernels": {"numpy_blas": "openblas 0.3.30 Haswell"}}
    names = compared_runs(
        [*on(records[:1], NARROW), *[msgspec.structs.replace(records[1], provenance=other)]], set()
    ).classes.names
    assert sorted(names.values()) == ["AMD avx2 Haswell", "AMD avx2 Zen"]
    odd = [
        {"cpu_class": 3, "kernels": "none", "gpu": []},
        {},
        {"gpu": {"name": "A GPU"}, "cpu_class": "x86_64-AuthenticAMD-avx2"},
    ]
    made = [msgspec.structs.replace(records[0], provenance=provenance) for provenance in odd]
    assert len(set(compared_runs(made, set()).classes.names.values())) == 3


def test_a_board_of_records_that_say_no_class_is_made_all_the_same(board, records):
    found = board([msgspec.structs.replace(record, provenance={}) for record in records])
    assert [one["name"] for one in found["classes"]] == ["unknown class"]
    assert any(row["place"] for row in found["tracks"][0]["rows"])
    assert made_up("demo", "up", "a", "m", 0, "acc", 1.0).provenance == ENVIRONMENT


def test_a_limited_processor_shares_the_board_but_not_the_seconds(records, board):
    limited = NARROW | {"limited_from": "x86_64-AuthenticAMD-avx512"}
    fast = [record for record in records if record.method == "n"]
    made = [record for record in records if record.method != "n"]
    found = board([*on(made, NARROW), *on(fast, limited, slower=0.5)])
    rows = {row["method"]: row for row in found["tables"][0]["rows"]}
    assert rows["n"]["place"] is not None
    assert rows["n"]["class"] == rows["m"]["class"] == "AMD avx2"
    assert rows["n"]["cost"]["solve_s"] is None
    assert rows["n"]["cost"]["forward"] is not None
    assert rows["m"]["cost"]["solve_s"] is not None
    (note,) = [note for note in found["tables"][0]["notes"] if "other seconds" in note]
    assert note == (
        "3 runs of 15 came from AMD avx2 on avx512: same kernels, same bits, other seconds. "
        "Seconds are of AMD avx2 alone."
    )
    assert any("AMD avx2 on avx512" in note for note in found["tracks"][0]["notes"])
