"""Tiers of a suite: three, five and ten seeds each have a board and anchors of their own."""

import json

import msgspec
import pytest
from bench.builtin.leaderboard._exports import history_rows, merged
from bench.builtin.leaderboard._schema import check
from bench.builtin.leaderboard.board import bench_board, bench_freeze, bench_render
from board_toy import CARDS, SUITE, TASKS, whole_suite

from bench.builtin.leaderboard import _suite
from bench.errors import UsageError

TIERS = "tiers = { nightly = 3, default = 5, release = 10 }"


def tiered(text=TIERS):
    bare = SUITE.replace("schema_version = 1", "schema_version = 2").replace("seeds = 3", text)
    return bare.replace('title = "Demo"\nabout = "A demonstration."\n', "")


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "suite-small.toml"
    path.write_text(tiered())
    return path


@pytest.fixture
def ten(suite):
    return whole_suite(_suite.read_suite(suite), TASKS, {"demo": ["m", "n", "null"]}, seeds=10)


def board(suite, records, **options):
    found = bench_board(records, TASKS, {"suite": str(suite), "cards": CARDS, **options})
    check(found)
    return found


def test_a_tier_uses_its_own_seeds_alone_and_every_tier_ranks(suite, ten):
    scores = {}
    for tier, seeds in (("nightly", 3), ("default", 5), ("release", 10)):
        whole, alone = (
            board(suite, records, tier=tier)
            for records in (ten, [record for record in ten if record.seed < seeds])
        )
        assert (whole["tracks"], whole["tables"]) == (alone["tracks"], alone["tables"])
        rows = {row["method"]: row for row in whole["tracks"][0]["rows"]}
        assert all(
            rows[name]["place"] and rows[name]["of"] == 3 * seeds for name in ("m", "n", "null")
        )
        assert {row["n"] for table in whole["tables"] for row in table["rows"]} == {seeds}
        unused = [note for note in whole["notes"] if "are not used" in note]
        assert unused == (
            [
                (
                    f"{(10 - seeds) * 12} records of other seeds than 0 to {seeds - 1} are not "
                    f"used in the tier {tier}."
                )
            ]
            if seeds < 10
            else []
        )
        assert (
            f"Suite small, tier {tier}: mean normalised score over 2 tasks (3 variants), {seeds} "
            "seeds"
        ) in bench_render(whole, "md")
        scores[tier] = rows["m"]["score"]
    assert len(set(scores.values())) == 3


def test_three_seeds_rank_in_the_nightly_tier_and_are_provisional_in_the_default_one(suite, ten):
    three = [record for record in ten if record.seed < 3]
    assert all(
        row["place"]
        for row in board(suite, three, tier="nightly")["tracks"][0]["rows"]
        if row["ok"] and not row["peeks"]
    )
    rows = board(suite, three)["tracks"][0]["rows"]
    assert not any(row["place"] for row in rows)
    mixed = [record for record in ten if record.seed < (3 if record.method == "m" else 10)]
    rows = {row["method"]: row for row in board(suite, mixed, tier="default")["tracks"][0]["rows"]}
    assert (rows["m"]["provisional"], rows["m"]["why"]) == (True, "6 runs missing")
    assert rows["n"]["place"] == 1


def test_the_default_tier_is_the_one_called_so_and_tables_of_a_single_command_hold_all_seeds(
    suite, ten
):
    found = board(suite, ten)
    assert (found["suite"]["tier"], found["suite"]["seeds"]) == ("default", 5)
    assert {row["n"] for table in found["tables"] for row in table["rows"]} == {10}


def test_anchors_are_frozen_for_each_tier_that_the_records_hold_whole(suite, ten):
    five = [record for record in ten if record.seed < 5]
    said = bench_freeze(five, TASKS, {"suite": str(suite)})
    file = json.loads(suite.with_name("anchors-small.json").read_text())
    assert (
        file["schema_version"],
        {tier: len(cells) for tier, cells in file["tiers"].items()},
    ) == (2, {"nightly": 3, "default": 3, "release": 0})
    assert {cell["low"]["n"] for cell in file["tiers"]["nightly"].values()} == {3}
    assert (
        "not frozen in the tier release, since a run of their anchors is missing (10 seeds each, "
        "on cpu): all 3 cells."
    ) in said
    assert [
        cell["frozen"] for cell in board(suite, five, tier="nightly")["tracks"][0]["cells"]
    ] == [True] * 3
    assert [cell["frozen"] for cell in board(suite, ten, tier="release")["tracks"][0]["cells"]] == [
        False
    ] * 3
    before = file["tiers"]["default"]
    bench_freeze(ten, TASKS, {"suite": str(suite)})
    file = json.loads(suite.with_name("anchors-small.json").read_text())
    assert (file["tiers"]["default"], len(file["tiers"]["release"])) == (before, 3)
    for tier, seeds in (("nightly", 3), ("default", 5), ("release", 10)):
        assert {
            cell["low"]["n"] for cell in board(suite, ten, tier=tier)["tracks"][0]["cells"]
        } == {seeds}


def test_an_older_file_of_anchors_is_of_the_default_tier(suite, ten):
    bench_freeze([record for record in ten if record.seed < 5], TASKS, {"suite": str(suite)})
    path = suite.with_name("anchors-small.json")
    cells = json.loads(path.read_text())["tiers"]["default"]
    path.write_text(json.dumps({"schema_version": 1, "suite": "small", "cells": cells}))
    assert len(_suite.load(suite)[1].cells) == 3
    assert _suite.load(suite, "nightly")[1].cells == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tiers = { nightly = 3 }", "none of its tiers is called 'default'"),
        ("tiers = { default = 0 }", "its tier 'default' has 0 seeds, it must be 1 to 1000"),
        ("tiers = { default = 5, other = 5 }", "two of its tiers have the same number of seeds"),
        (
            'tiers = { default = 5, "A b" = 3 }',
            "its tier 'A b' is no name of small letters, digits and hyphens",
        ),
        (
            "tiers = { default = 5 }\nseeds = 5",
            "it has seeds and tiers; tiers alone say how many seeds there are",
        ),
        ("delta = 0.1\n#", "it has seeds = 0"),
        ('seeds = 5\ntier = "x"', "it names the tier 'x', which is for --tier to say"),
    ],
)
def test_a_suite_whose_tiers_contradict_themselves_is_refused(tmp_path, text, said):
    path = tmp_path / "suite-small.toml"
    path.write_text(
        tiered(text).replace("delta = 0.02\n", "" if text.startswith("delta") else "delta = 0.02\n")
    )
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        _suite.read_suite(path)


def test_a_tier_that_a_suite_has_not_is_named_with_those_it_has(suite):
    with pytest.raises(
        UsageError,
        match=r"has no tier 'nigtly'\. Did you mean 'nightly'\? Its tiers: nightly \(3 seeds\), "
        r"default \(5 seeds\), release",
    ):
        _suite.load(suite, "nigtly")
    with pytest.raises(UsageError, match=r"the suite 2026\.2 has no tier 'nightly'"):
        _suite.load(_suite.find("2026.2"), "nightly")


def test_every_tier_of_the_newest_suite_is_one_of_the_night_and_has_its_seeds():
    from bench.runs.nightly import TIERS as nights

    tiers = _suite.read_suite(_suite.find(None)).tiers
    assert tiers == {name: tier.seeds for name, tier in nights.items() if tier.preset == "default"}


def test_history_keeps_the_tiers_of_a_night_apart(suite, ten):
    nightly, default = (
        history_rows(board(suite, ten, tier=tier), "2026-01-01") for tier in ("nightly", "default")
    )
    kept = merged(nightly, default)
    assert len(kept) == len(nightly) + len(default)
    assert {row["tier"] for row in kept} == {"nightly", "default"}
    again = [msgspec.json.decode(msgspec.json.encode(row)) | {"score": 9.0} for row in default]
    assert merged(kept, again) == sorted(
        [*nightly, *again], key=lambda row: (row["tier"], row["method"])
    )
