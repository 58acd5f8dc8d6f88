"""The tests that ``make test TRACK=...`` runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from of_track import of_track

from bench.plugins.registry import Registry

ROOT = Path(__file__).parents[1]
TRACKS = Registry().tracks()


@pytest.mark.parametrize("track", TRACKS)
def test_every_track_has_tests_of_methods_and_of_tasks(track):
    found = of_track(track)
    assert all((ROOT / path).exists() for path in found)
    assert {path.split("/")[1] for path in found} >= {"methods", "tasks"}


def test_every_folder_of_such_tests_belongs_to_a_track():
    folders = {
        str(path.relative_to(ROOT))
        for room in ("methods", "tasks")
        for path in (ROOT / "tests" / room).iterdir()
        if path.is_dir() and list(path.glob("test_*.py"))
    }
    assert folders <= {path for track in TRACKS for path in of_track(track)}


def test_an_unknown_track_is_one_sentence_with_the_near_one():
    with pytest.raises(ValueError, match=r"no track 'noisy-label'.* Did you mean 'noisy-labels'"):
        of_track("noisy-label")
