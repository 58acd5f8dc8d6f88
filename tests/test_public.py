"""What plugins and scripts build on: hooks and their arguments, the fields of a record, the keys of
``--json``.

Names may be added; none may go or change.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import bench.plugins.hookspecs as hookspecs
from bench.cli import main
from bench.runs.record import SCHEMA_VERSION, Record

HOOKS = {
    "bench_methods": ["register"],
    "bench_tasks": ["register"],
    "bench_datasets": ["register"],
    "bench_board": ["records", "tasks", "options"],
    "bench_render": ["board", "format"],
    "bench_compare": ["records", "tasks", "a", "b", "options"],
    "bench_publish": ["board", "records", "folder", "options"],
    "bench_freeze": ["records", "tasks", "options"],
}

RECORD = """schema_version cell key attempt track method params task task_params preset variant seed device dtype form data status metrics gates
not_rankable cost counters flops curve logs reference peeks custom needs error warnings arrays images started ended provenance"""

RECORDS = str(Path(__file__).parents[1] / "docs" / "records")

DOCUMENTS = {
    ("list",): ["schema_version", "methods", "tasks", "datasets", "tracks", "broken"],
    ("show", "noisy-labels/ce"): ["schema_version", "found"],
    ("run", "--method", "ce", "--task", "noisy-digits", "--preset", "smoke", "--dry-run"): [
        "schema_version",
        "cells",
        "not_run",
    ],
    ("leaderboard", "--results", RECORDS, "--task", "noisy-digits", "--no-stale"): [
        "schema_version",
        "kind",
        "suite",
        "tracks",
        "tables",
        "notes",
    ],
    ("doctor",): ["schema_version", "healthy", "checks"],
}


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_keeps_its_name_and_its_arguments(name):
    assert list(inspect.signature(getattr(hookspecs, name)).parameters) == HOOKS[name]


def test_a_record_keeps_its_fields():
    assert SCHEMA_VERSION >= 1
    assert set(RECORD.split()) <= set(Record.__struct_fields__)


@pytest.mark.parametrize("command", DOCUMENTS, ids=lambda command: command[0])
def test_a_json_document_keeps_its_keys(command, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "results"))
    done = CliRunner().invoke(main, [*command, "--json"])
    document = json.loads(done.stdout)
    assert document["schema_version"] == {"leaderboard": 3, "compare": 2}.get(command[0], 1)
    assert set(DOCUMENTS[command]) <= set(document)
