"""A CSV file of one's own, with wrong labels put in."""

import json

import numpy as np
import pytest
import torch
from bench.builtin.datasets.csv_file import CsvFile
from bench.builtin.tasks.noisy_labels.noisy_csv import NoisyCsv
from real_runs import outcome

from bench.runs.context import Setup
from bench.runs.tools import Tools

ASKED = ("--method", "ce", "--task", "noisy-csv[file=mine.csv,label=kind]", "--preset", "smoke")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    kinds = np.arange(100) % 2
    points = draw.normal(3.0 * kinds[:, None], 1.0, (100, 2)).round(3)
    lines = [
        f"{a},{b},{'yes' if kind else 'no'}" for (a, b), kind in zip(points, kinds, strict=True)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["a,b,kind", *lines]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(folder):
    found = [json.loads(file.read_text()) for file in (folder / "results/records").rglob("*.json")]
    return sorted(found, key=lambda record: record["started"])


def test_a_fifth_of_the_rows_is_clean_and_apart_and_the_rest_has_the_wrong_labels(folder):
    class Loading(Tools):
        def dataset(self, run, name, params):
            return CsvFile(**params).load(None)

    setup = Setup(
        seed=0, task="t", method="m", device=torch.device("cpu"), workdir=folder, tools=Loading()
    )
    case = NoisyCsv(file="mine.csv", label="kind").prepare(setup)
    (problem,), hidden = case.problems, case.hidden
    assert (len(problem.y), len(hidden.y_test)) == (80, 20)
    assert hidden.y_test.bincount().tolist() == [10, 10]
    assert int((problem.y != hidden.y_true).sum()) == 32


def test_a_file_is_named_on_the_command_line_and_a_changed_label_makes_its_run_stale(
    folder, capsys
):
    code, out, err = outcome(capsys, *ASKED, "--results", folder / "results")
    assert code == 0, err
    assert "noisy-csv" in out
    text = (folder / "mine.csv").read_text()
    (folder / "mine.csv").write_text(text.replace("yes", "no", 1))
    code, _, err = outcome(capsys, *ASKED, "--results", folder / "results")
    assert code == 0, err
    one, other = records(folder)
    assert one["cell"] == other["cell"]
    assert one["key"] != other["key"]


def test_seeds_of_a_file_with_equal_rows_train_side_by_side(folder, capsys):
    lines = (folder / "mine.csv").read_text().splitlines()
    (folder / "mine.csv").write_text("\n".join([*lines, *lines[1:31]]) + "\n")
    code, _, err = outcome(capsys, *ASKED, "--seeds", "3", "--results", folder / "results")
    assert code == 0, err
    assert {record["status"] for record in records(folder)} == {"ok"}


def test_a_file_with_a_missing_value_is_said_once_and_nothing_is_run(folder, capsys):
    text = (folder / "mine.csv").read_text()
    (folder / "mine.csv").write_text(text.replace(",no", ",", 1))
    code, _, err = outcome(capsys, *ASKED, "--seeds", "3", "--results", folder / "results")
    assert code == 4
    assert err.count("'mine.csv' has 1 missing value in 1 column") == 1
