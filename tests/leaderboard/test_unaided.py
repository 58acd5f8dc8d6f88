"""Beside the ranking of all methods a board ranks those that need nothing but the problem."""

from __future__ import annotations

import msgspec
import pytest
from bench.builtin.leaderboard._page_parts import board_columns, board_rows
from bench.builtin.leaderboard._schema import check
from bench.builtin.leaderboard._track_exports import track_lines
from bench.builtin.leaderboard._unaided import rank_unaided, unaided_columns, unaided_lines
from bench.builtin.leaderboard.board import bench_board, bench_render
from board_toy import CARDS, TASKS, made_up

CELLS = (
    ("up", "a", "acc", 50.0, 40.0),
    ("up", "b", "acc", 50.0, 40.0),
    ("down", "only", "gap", 0.4, -0.4),
)
OFFERING = {
    name: msgspec.structs.replace(card, offers={"rate": {}}) for name, card in TASKS.items()
}


def runs(method, score, **fields):
    """Return records of a method that reaches a normalised score in every cell."""
    return [
        made_up(
            "demo", task, variant, method, seed, metric,
            low + span * (score + 0.001 * (seed - 1) * (-1) ** len(method)), **fields,
        )
        for task, variant, metric, low, span in CELLS
        for seed in range(3)
    ]  # fmt: skip


@pytest.fixture
def board(suite_file):
    """Return a function from whether ``picky``, which needs the rate, has run to the board."""
    scores = {"m": 0.5, "n": 0.3, "picky": 0.7}

    def make(picky=True):
        records = [
            *runs("null", 0.0, reference="low"),
            *runs("oracle", 1.0, reference="high", peeks=True),
            *(
                record
                for name, score in scores.items()
                if picky or name != "picky"
                for record in runs(name, score, needs=["rate"] if name == "picky" else [])
            ),
        ]
        return bench_board(records, OFFERING, {"suite": str(suite_file), "cards": CARDS})

    return make


def places(track):
    return {row["method"]: (row["place"], row["place_unaided"]) for row in track["rows"]}


def row(method, place, *needs):
    return {"method": method, "place": place, "needs": list(needs), "place_unaided": None}


def test_equal_places_stay_equal_and_rows_that_need_something_are_passed_over():
    rows = [row("a", 1, "env"), row("b", 2), row("c", 2), row("d", 4, "env"), row("e", 5)]
    rank_unaided([*rows, row("f", None)])
    assert [one["place_unaided"] for one in rows] == [None, 1, 1, None, 3]
    assert unaided_lines({"rows": rows}) == [
        "Among methods that need nothing but the problem, b and c share first."
    ]


@pytest.mark.parametrize("needs", [(), ("env",)])
def test_rows_of_one_kind_have_one_ranking(needs):
    rows = [row("a", 1, *needs), row("b", 2, *needs), row("waiting", None, "env")]
    rank_unaided(rows)
    assert {one["place_unaided"] for one in rows} == {None}
    assert unaided_columns(rows) == unaided_lines({"rows": rows}) == []


def test_a_board_places_methods_without_needs_among_themselves_too(board):
    (track,) = board()["tracks"]
    assert places(track) == {
        "picky": (1, None),
        "m": (2, 1),
        "n": (3, 2),
        "null": (4, 3),
        "oracle": (None, None),
    }
    check(board())


def test_markdown_page_and_csv_show_the_second_place(board):
    made = board()
    (track,) = made["tracks"]
    text = bench_render(made, "md")
    heads, *lines = (
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and "--" not in line
    )
    place, named, needs = (heads.index(head) for head in ("# without †", "method", "needs"))
    found = {line[named]: (line[place], line[needs]) for line in lines[:4]}
    assert found == {
        "**picky** †": ("—", "rate"),
        "m": ("1", "—"),
        "n": ("2", "—"),
        "null": ("3", "—"),
    }
    assert "Among methods that need nothing but the problem, m is first." in text
    assert "unaided" in [column.key for column in board_columns(track, [], False)]
    cells = {one["method"]: one["cells"]["unaided"].text for one in board_rows(track, [], {}, {})}
    assert (cells["m"], cells["picky"]) == ("1", "—")
    assert {line["method"]: line["place_unaided"] for line in track_lines(track)}["n"] == 2


def test_a_board_without_placed_methods_that_need_something_has_no_second_ranking(board):
    made = board(picky=False)
    (track,) = made["tracks"]
    assert {unaided for _, unaided in places(track).values()} == {None}
    assert "without †" not in bench_render(made, "md")
    assert "unaided" not in [column.key for column in board_columns(track, [], False)]
