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


def suite(folder, tasks, high='"true-errors"', track="label-errors", chance='"low"'):
    lines = [
        'schema_version = 2\nname = "two"\ndevice = "cpu"\ntiers = { default = 5 }',
        f'over_datasets = true\ndelta = 0.02\n[tracks.{track}]\nlow = "random"',
        f"high = {high}",
        *(
            f'[[tracks.{track}.tasks]]\ntask = "{task}"\nvariants = {json.dumps(variant.split())}\nchance = {chance}\nseconds = 300'
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


def test_a_dataset_that_is_left_out_is_named_with_the_reason_and_one_alone_has_no_interval(
    tmp_path,
):
    path = suite(tmp_path, {"errors-fashion": "sym20 asym40", "errors-letter": "sym40"})
    text = tables.datasets(path, "label-errors", "3")
    assert "| method | fashion-mnist | score |" in text
    assert "over its 2 variants (`sym20`, `asym40`)" in text
    assert "of one dataset there is no interval" in text
    assert "[95 %]" not in text
    [line] = [line for line in text.splitlines() if line.startswith("- ")]
    assert line.startswith("- letter, `sym40`: saturated: ")
    assert "a plain baseline, reaches" in line


def test_variants_that_tell_nothing_are_named_with_their_reason_beside_those_that_count(tmp_path):
    tasks = {"prune-fashion": "clean noise10", "prune-satellite": "clean noise10"}
    path = suite(tmp_path, tasks, '"clean-rows"', "selection", "10.0")
    text = tables.datasets(path, "selection", "3")
    assert "over its one variant (`noise10`)" in text
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert [line.partition(": thin: ")[0] for line in lines] == [
        "- fashion-mnist, `clean`",
        "- satellite, `clean`",
        "- satellite, `noise10`",
    ]
    assert all("its anchors" in line for line in lines)


def test_a_table_of_all_datasets_leaves_nothing_out(tmp_path):
    text = tables.datasets(suite(tmp_path, TASKS), "label-errors", "3")
    assert "Left out" not in text
    assert "its mean over datasets, with the interval over datasets." in text
