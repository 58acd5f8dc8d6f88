"""A track by dataset: the mean over datasets with its interval, and which set carries a win."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from bench.builtin.leaderboard._over_datasets import over_datasets
from bench.builtin.leaderboard._render_datasets import datasets_markdown, datasets_panel
from bench.builtin.leaderboard._schema import check
from bench.builtin.leaderboard.board import bench_board, bench_render
from board_toy import CARDS, SUITE, TASKS, whole_suite
from scipy import stats

from bench.builtin.leaderboard import _suite

SETS = {"a1": "letters", "a2": "letters", "b": "soil", "c": "clothes"}
CELLS = [
    SimpleNamespace(task=SimpleNamespace(task=task), card=SimpleNamespace(datasets=(data,)))
    for task, data in SETS.items()
]


def table(*rows):
    """Scores (M, 4 tasks, 3 seeds) of methods p, q ... with these means by task."""
    spread = np.array([-0.01, 0.0, 0.01])
    return np.array([[[mean + own for own in spread] for mean in row] for row in rows])


def found(*rows):
    names = "pqrs"[: len(rows)]
    made = over_datasets(names, CELLS, list(SETS), table(*rows))
    return made, {row["method"]: row for row in made["rows"]}


def test_tasks_of_one_data_set_are_averaged_first_and_data_sets_weigh_the_same():
    made, rows = found((0.2, 0.4, 0.9, 0.6), (0.5, 0.5, 0.5, 0.5))
    assert made["datasets"] == ["letters", "soil", "clothes"]
    assert rows["p"]["scores"] == pytest.approx([0.3, 0.9, 0.6])
    assert rows["p"]["mean"] == pytest.approx(0.6)
    assert [row["method"] for row in made["rows"]] == ["p", "q"]


def test_the_interval_is_student_s_over_data_sets_and_seeds_have_no_part_in_it():
    _, rows = found((0.2, 0.4, 0.9, 0.6), (0.1, 0.1, 0.2, 0.5))
    sets = np.array([0.3, 0.9, 0.6])
    expected = stats.t.interval(0.95, 2, sets.mean(), stats.sem(sets))
    assert (rows["p"]["low"], rows["p"]["high"]) == pytest.approx(expected, abs=1e-5)
    apart = sets - np.array([0.1, 0.2, 0.5])
    expected = stats.t.interval(0.95, 2, apart.mean(), stats.sem(apart))
    assert rows["q"]["behind"] == pytest.approx(apart.mean(), abs=1e-6)
    assert (rows["q"]["behind_low"], rows["q"]["behind_high"]) == pytest.approx(expected, abs=1e-5)


def test_a_win_that_one_data_set_carries_is_said_with_the_set():
    # p is far ahead on clothes alone; q is a little ahead on both others
    made, rows = found((0.4, 0.4, 0.4, 0.9), (0.5, 0.5, 0.5, 0.5))
    assert made["rows"][0]["method"] == "p"
    assert made["leaders"] == {"letters": "q", "soil": "q", "clothes": "p"}
    assert made["without"] == {"letters": "p", "soil": "p", "clothes": "q"}
    assert rows["q"]["ahead_on"] == ["letters", "soil"]
    text = "\n".join(datasets_markdown(made))
    assert "One dataset carries the first place of p; first would be q without clothes." in text
    assert "**0.900**" in text


def test_a_win_that_no_set_carries_alone_is_said_too_and_one_set_says_nothing_of_others():
    made, _ = found((0.6, 0.6, 0.6, 0.6), (0.5, 0.5, 0.5, 0.5))
    assert "p stays first whichever dataset is left out." in datasets_markdown(made)[-1]
    one = over_datasets("pq", CELLS[2:3], ["b"], table((0.6,), (0.5,)))
    assert (one["without"], one["rows"][0]["low"]) == ({}, None)
    assert "on the only dataset; of others this says nothing" in datasets_markdown(one)[-1]


def test_only_a_suite_that_asks_for_it_has_boards_by_data_set(tmp_path):
    new = SUITE.replace("schema_version = 1", "schema_version = 2")
    new = new.replace('title = "Demo"\nabout = "A demonstration."\n', "")
    tasks = {
        name: msgspec.structs.replace(card, datasets=(f"set-{card.name}",))
        for name, card in TASKS.items()
    }
    for more in ("", "over_datasets = true\n"):
        path = tmp_path / "suite-small.toml"
        path.write_text(new.replace("delta", f"{more}delta"))
        suite = _suite.read_suite(path)
        records = whole_suite(suite, tasks, {"demo": ["m", "n"]})
        board = bench_board(records, tasks, {"suite": str(path), "cards": CARDS})
        check(board)
        (track,) = board["tracks"]
        assert ("datasets" in track) == bool(more)
        text = bench_render(board, "md")
        assert ("By dataset, and over datasets" in text) == bool(more)
    assert track["datasets"]["datasets"] == ["set-up", "set-down"]
    assert {row["method"] for row in track["datasets"]["rows"]} == {"null", "m", "n"}


def test_the_page_has_the_same_table_with_the_best_of_each_data_set_marked():
    made, _ = found((0.4, 0.4, 0.4, 0.9), (0.5, 0.5, 0.5, 0.5))
    panel = datasets_panel(made)
    assert panel["heads"][:4] == ["method", "letters", "soil", "clothes"]
    first, second = panel["rows"]
    assert [cell["text"] for cell in first[:4]] == ["p", "0.400", "0.400", "0.900"]
    assert [cell["bold"] for cell in first[:4]] == [False, False, False, True]
    assert [cell["bold"] for cell in second[:4]] == [False, True, True, False]
    assert "carries the first place of p" in panel["said"]
