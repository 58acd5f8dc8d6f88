from __future__ import annotations

from types import SimpleNamespace

import pytest
from bench.builtin.leaderboard._series import of_this_series
from bench.builtin.leaderboard._suite_names import age, series
from bench.builtin.leaderboard.board import bench_board
from board_toy import CARDS, SUITE, TASKS, whole_suite
from hypothesis import given
from hypothesis import strategies as st

from bench.builtin.leaderboard import _suite

YEAR, REAL = (_suite.read_suite(_suite.find(name)) for name in (None, "real"))


def records(*tasks):
    return [SimpleNamespace(track="noisy-labels", task=task) for task in tasks]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=3), st.sampled_from(["", "real-", "a_"]))
def test_a_suites_name_is_its_series_and_its_number(numbers, start):
    name = start + ".".join(map(str, numbers))
    assert series(name) == start.rstrip("-_")
    assert age(name) == tuple(numbers)


def test_later_numbers_are_newer_and_a_name_without_one_has_no_age():
    assert age("2026.9") < age("2026.10") < age("2027.1")
    assert age("real-9") < age("real-10")
    assert (series("mine"), age("mine")) == ("mine", ())


@pytest.mark.parametrize(
    ("suite", "kept", "home", "left"),
    [
        (YEAR, ("noisy-digits", "of-nobody"), REAL, 2),
        (REAL, ("noisy-fashion",), YEAR, 3),
    ],
)
def test_a_task_that_another_series_shows_is_left_to_its_board(suite, kept, home, left):
    both = records("noisy-digits", "noisy-fashion", "noisy-fashion", "noisy-digits", "of-nobody")
    found, said = of_this_series(both, suite)
    assert [record.task for record in found] == [
        task for task in (record.task for record in both) if task in kept
    ]
    assert said == [
        f"{left} records of tasks of the suite {home.name} are on its own board: "
        f"bench leaderboard --suite {home.name}"
    ]


def test_every_task_of_a_suite_stays_on_its_board_also_one_that_others_declare(tmp_path):
    path = tmp_path / "suite-mine-1.toml"
    path.write_text(
        'schema_version = 2\nname = "mine-1"\ndevice = "cpu"\nseeds = 2\ndelta = 0.02\n[tracks.noisy-labels]\nlow = "ce"\n'
        'high = "clean-labels"\n[[tracks.noisy-labels.tasks]]\ntask = "noisy-digits"\n'
        'variants = ["sym40"]\nchance = 10.0\nseconds = 60\n'
    )
    mine = _suite.read_suite(path)
    for suite, task in ((mine, "noisy-digits"), (YEAR, "noisy-digits"), (YEAR, "of-nobody")):
        assert of_this_series(records(task), suite) == (records(task), [])


def test_a_board_of_nothing_but_another_series_says_where_its_records_are():
    (record,) = records("noisy-fashion")
    found = bench_board([record], {}, {})
    assert found["tables"] == []
    assert found["notes"] == [
        "1 record of tasks of the suite real-2 is on its own board: bench leaderboard --suite real-2"
    ]


def part(tmp_path, task, methods):
    """Return the board of a suite that asks for some methods alone on a task, and of its track."""
    path = tmp_path / "suite-part.toml"
    path.write_text(SUITE.replace(f'task = "{task}"', f'task = "{task}"\nmethods = {methods}'))
    found = bench_board(
        whole_suite(_suite.read_suite(path), TASKS, {"demo": ["null", "m"]}),
        TASKS,
        {"suite": str(path), "cards": CARDS},
    )
    (track,) = found["tracks"]
    return {row["method"]: row for row in track["rows"]}, track


def test_a_method_that_a_suite_asks_for_nowhere_is_not_waited_for(tmp_path):
    whole, _ = part(tmp_path, "up", [])
    assert whole["n"]["cells"]["demo/up/default/a"]["word"] == "missing"
    some, _ = part(tmp_path, "up", ["null", "m"])
    assert some["n"]["cells"]["demo/up/default/a"]["word"] == "not_applicable"
    assert some["n"]["cells"]["demo/down/default/only"]["word"] == "missing"
    assert "the suite does not ask for it on up" in some["n"]["why"]


def test_a_method_that_no_task_of_a_track_asks_for_has_no_row(tmp_path):
    path = tmp_path / "suite-part.toml"
    path.write_text(SUITE.replace("seconds = 60", 'seconds = 60\nmethods = ["null", "m"]'))
    records = whole_suite(_suite.read_suite(path), TASKS, {"demo": ["null", "m"]})
    (track,) = bench_board(records, TASKS, {"suite": str(path), "cards": CARDS})["tracks"]
    assert {row["method"] for row in track["rows"]} == {"null", "m", "oracle"}
    assert track["coverage"]["expected"] == track["coverage"]["ok"]
