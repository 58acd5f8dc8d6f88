"""The published board is what the records of its release give, and the README shows it.

A release alone writes it, so sentences may be worded anew meanwhile; figures may not.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.builtin.leaderboard import _suite
from bench.cli import main

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "leaderboard" / "published"
FILES = [PUBLISHED / "leaderboard.json", *sorted(PUBLISHED.glob("*/leaderboard.json"))]
BOARDS = [json.loads(path.read_text()) for path in FILES]
BOARD = BOARDS[0]
every_board = pytest.mark.parametrize(
    "board", BOARDS, ids=[each["suite"]["name"] for each in BOARDS]
)


def figures(value, number=float):
    """Return a document without its sentences: figures, names and verdicts stay."""
    match value:
        case float():
            return number(value)
        case dict():
            return {name: figures(part, number) for name, part in value.items() if name != "notes"}
        case list():
            return [figures(part, number) for part in value]
        case str() if " " in value:
            return ""
    return value


def roughly(value):
    """Return a figure to nine digits: the last ones differ between versions of SciPy."""
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@every_board
def test_a_published_board_has_the_figures_that_the_committed_records_give(board):
    done = CliRunner().invoke(
        main,
        [
            "leaderboard",
            "--results",
            str(ROOT / "docs" / "records"),
            "--suite",
            board["suite"]["name"],
            "--no-stale",
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    assert figures(json.loads(done.stdout)) == figures(board, roughly)


@every_board
def test_every_track_of_a_published_suite_has_a_ranked_board_between_frozen_anchors(board):
    suite, anchors = _suite.load(_suite.find(board["suite"]["name"]))
    tracks = {track["track"]: track for track in board["tracks"]}
    assert tracks.keys() == suite.tracks.keys()
    for name, track in tracks.items():
        assert any(row["place"] for row in track["rows"]), name
        assert {cell for _, _, cell in suite.cells(name)} <= anchors.cells.keys(), name


def test_the_readme_shows_the_picture_of_the_board_in_both_themes():
    text = (ROOT / "README.md").read_text()
    for name in ("leaderboard.svg", "leaderboard-dark.svg"):
        assert f"leaderboard/published/{name}" in text


def test_the_front_page_of_the_docs_shows_the_picture_that_the_release_wrote():
    assert "](../leaderboard/published/leaderboard.svg)" in (ROOT / "docs" / "index.md").read_text()
    for name in ("leaderboard.svg", "leaderboard-dark.svg"):
        picture = (PUBLISHED / name).read_text()
        titles = {
            track["title"] for track in BOARD["tracks"] if any(r["place"] for r in track["rows"])
        }
        assert len(titles) > 3
        assert [title for title in titles if title not in picture] == []
        assert (PUBLISHED / name).stat().st_size > 10_000
