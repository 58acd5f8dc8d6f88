"""The published board is what the committed records give, and the README shows it."""

import json
from pathlib import Path

from click.testing import CliRunner

from bench.builtin.leaderboard import _suite
from bench.cli import main

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "leaderboard" / "published"
BOARD = json.loads((PUBLISHED / "leaderboard.json").read_text())


def test_the_published_board_is_what_the_committed_records_give():
    done = CliRunner().invoke(
        main,
        [
            "leaderboard",
            "--results",
            str(ROOT / "docs" / "records"),
            "--suite",
            BOARD["suite"]["name"],
            "--no-stale",
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == BOARD


def test_every_track_of_the_published_suite_has_a_ranked_board_between_frozen_anchors():
    suite, anchors = _suite.load(_suite.find(BOARD["suite"]["name"]))
    tracks = {track["track"]: track for track in BOARD["tracks"]}
    assert tracks.keys() == suite.tracks.keys()
    for name, track in tracks.items():
        assert any(row["place"] for row in track["rows"]), name
        assert {cell for _, _, cell in suite.cells(name)} <= anchors.cells.keys(), name


def test_the_readme_shows_the_picture_of_the_board_in_both_themes():
    text = (ROOT / "README.md").read_text()
    for name in ("leaderboard.svg", "leaderboard-dark.svg"):
        assert f"leaderboard/published/{name}" in text
        assert (PUBLISHED / name).stat().st_size > 10_000
