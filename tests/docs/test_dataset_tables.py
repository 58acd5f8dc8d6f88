"""The table of a track's datasets holds the means of the committed records."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from statistics import fmean

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))
tables = importlib.import_module("tables_datasets")
TASKS = {"errors-digits": "sym40", "errors-wine": "sym20"}


def suite(folder, tasks, high='"true-errors"'):
    lines = [
        'schema_version = 2\nname = "two"\ndevice = "cpu"\ntiers = { default = 5 }',
        'over_datasets = true\ndelta = 0.02\n[tracks.label-errors]\nlow = "random"',
        f"high = {high}",
        *(
            f'[[tracks.label-errors.tasks]]\ntask = "{task}"\nvariants = ["{variant}"]\nchance = "low"\nseconds = 300'
            for task, variant in tasks.items()
        ),
    ]
    path = folder / "two.toml"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def measured(task, method):
    """The mean of the first five seeds, read line by line."""
    file = ROOT / "docs" / "records" / f"label-errors.{task}.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    figures = [
        record["metrics"]["ap"]
        for record in records
        if (record["variant"], record["method"], record["status"]) == (TASKS[task], method, "ok")
        and record["seed"] < 5
        and not record["custom"]
    ]
    assert len(figures) == 5
    return fmean(figures)


def test_each_row_holds_what_a_method_reaches_on_every_dataset_in_the_unit_of_the_metric(tmp_path):
    text = tables.datasets(suite(tmp_path, TASKS), "label-errors", "3")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| method | digits | wine | mean score [95 %] |"
    names = [line.split("`")[1] for line in lines[2:]]
    assert "random" in names
    assert names[-1] == "true-errors"
    for name, line in zip(names, lines[2:], strict=True):
        shown = [float(cell) for cell in line.split("|")[2:4]]
        assert shown == pytest.approx([measured(task, name) for task in TASKS], abs=0.051)
    means = [float(line.split("|")[4].split()[0]) for line in lines[2:5]]
    assert means == sorted(means, reverse=True)


def test_an_upper_reference_that_is_a_figure_has_no_row_and_is_said_with_its_reason(tmp_path):
    path = suite(tmp_path, TASKS, '{ value = 100.0, why = "every wrong label first" }')
    text = tables.datasets(path, "label-errors", "3")
    assert "1 is 100 (every wrong label first)" in text
    assert "`true-errors`" not in text


def test_a_suite_whose_runs_are_not_all_committed_has_a_sentence_in_place_of_a_table(tmp_path):
    text = tables.datasets(suite(tmp_path, TASKS | {"errors-iris": "none"}), "label-errors", "3")
    assert "are not all committed yet" in text
    assert "|" not in text
