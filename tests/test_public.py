"""What plugins and scripts build on: hooks and their arguments, the fields of a record, the keys of
``--json``.

Names may be added; none may go or change.
"""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import bench
import bench.plugins.hookspecs as hookspecs
from bench.cli import main
from bench.contracts import Watched
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

DESCRIBED = [
    "rows",
    "shape",
    "classes",
    "class_rows",
    "duplicates",
    "class_balance",
    "intrinsic_dim",
    "label_sharpness",
    "equal_rows_differ",
    "neighbour_agreement",
    "missing",
]
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
    ("describe", "wine"): ["schema_version", "dataset", "params", *DESCRIBED],
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


PAGE = (Path(__file__).parents[1] / "docs" / "public.md").read_text()


def _commands(group, name="bench"):
    context = click.Context(group)
    for verb in group.list_commands(context):
        command = group.get_command(context, verb)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {verb}")
        yield f"{name} {verb}", command


def test_the_page_of_what_is_public_names_every_command_with_a_json_document():
    with_json = {
        name
        for name, command in _commands(main)
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert with_json == set(re.findall(r"`(bench [a-z ]+) --json`", PAGE))


def test_the_versions_on_that_page_are_those_that_are_written(tmp_path, monkeypatch):
    stated = {
        name.strip(): int(version)
        for row in re.findall(r"^\| (.+?) \| (\d+) \|", PAGE, re.MULTILINE)
        for version in [row[1]]
        for name in re.findall(r"`(bench [a-z ]+) --json`", row[0]) or [row[0]]
    }
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "results"))
    for command in DOCUMENTS:
        document = json.loads(CliRunner().invoke(main, [*command, "--json"]).stdout)
        assert document["schema_version"] == stated[f"bench {command[0]}"]
    assert stated["a record"] == SCHEMA_VERSION
    suite = max((Path(__file__).parents[1] / "leaderboard").glob("suite-2*.toml"))
    assert tomllib.loads(suite.read_text())["schema_version"] == stated["a suite file"]


def test_a_deprecated_name_works_and_warns_with_what_to_use_and_until_when(monkeypatch):
    monkeypatch.setitem(bench._GOING, "Watched", ("bench.Other", "9.0"))
    monkeypatch.delitem(vars(bench), "Watched", raising=False)
    for _ in range(2):
        with pytest.warns(DeprecationWarning, match=r"release 9\.0; use bench\.Other"):
            found = bench.Watched
        assert found is Watched


def test_a_deprecated_name_goes_in_a_later_release_than_this_one():
    this = tuple(map(int, bench.__version__.split(".")[:2]))
    assert set(bench._GOING) <= set(bench.__all__)
    assert [
        name
        for name, (_, release) in bench._GOING.items()
        if tuple(map(int, release.split(".")[:2])) <= this
    ] == []
