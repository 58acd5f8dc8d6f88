"""What is said of a call that builds a record with the wrong fields."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import bench
from bench import Case
from bench.runs.record_calls import page_of, wrong_call
from bench.runs.result import failed
from bench.tracks import RECORDS, selection
from bench.tracks.newer import NEWER

ROOT = Path(__file__).resolve().parents[2]


def raised(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it raised nothing")


def solution():
    return selection.Selection()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            solution,
            "bench.tracks.selection_problem.Selection lacks 'rows'; it has to have rows, and may have "
            "weights and scores, each by its name; see docs/tracks/selection.md",
        ),
        (
            lambda: bench.Case(hidden=None),
            "bench.contracts.Case lacks 'problems'; it has to have problems, and may have hidden, "
            "each by its name; see docs/plugins.md",
        ),
        (
            lambda: Case(problems=[], hidden=None, seed=1),
            "bench.contracts.Case has no field 'seed'; it has to have problems, and may have "
            "hidden, each by its name; see docs/plugins.md",
        ),
        (
            lambda: Case([], None),
            "bench.contracts.Case got values without names; it has to have problems, and may have "
            "hidden, each by its name; see docs/plugins.md",
        ),
    ],
)
def test_a_field_that_a_record_lacks_or_does_not_have_is_said_with_those_that_are_right(call, said):
    error = raised(call)
    assert wrong_call(error) == said
    assert failed(error).error["message"] == said


@pytest.mark.parametrize(
    "call",
    [
        lambda: solution(1),
        lambda: None + 1,
        lambda: (_ for _ in ()).throw(TypeError("Missing required argument 'x'")),
        lambda: exec("Case()", {"Case": Case}),
    ],
)
def test_other_errors_are_told_as_they_are(call):
    error = raised(call)
    assert wrong_call(error) == ""
    assert failed(error).error["message"].endswith(str(error))


@pytest.mark.parametrize("track", sorted({**RECORDS, **NEWER}))
def test_the_page_that_is_named_exists_for_every_track_and_describes_it(track):
    for name in {**RECORDS, **NEWER}[track][1]:
        module, _, attribute = name.partition(":")
        kind = getattr(importlib.import_module(f"bench.tracks.{module}"), attribute)
        assert (ROOT / page_of(kind)).is_file(), page_of(kind)
