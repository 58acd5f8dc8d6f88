"""What ``bench describe`` says of datasets, also of a user's own, and how it refuses."""

from __future__ import annotations

import json

import pytest

OWN = '''
from typing import ClassVar
import msgspec
import torch
from bench import Dataset, DatasetCard, DataUnavailable

class Rows(msgspec.Struct, frozen=True):
    """Rows of a test."""
    x: torch.Tensor
    y: torch.Tensor

class Mine(Dataset):
    """Rows of a test."""
    card: ClassVar = DatasetCard(
        name="my-table", title="Mine", licence="CC0", source="here", size="4 rows", had="generated"
    )
    shift: int = 0
    """Added to all values."""

    def load(self, run):
        """Return the rows."""
        nan = float("nan")
        {body}
'''
FOUR = (
    "return Rows(torch.tensor([[0.0, 0], [0, 0], [1, nan], [2, 4]]) + self.shift, "
    "torch.tensor([0, 0, 1, 1]))"
)


@pytest.fixture
def own(tmp_path):
    """Write a plugin file whose dataset loads by ``body``."""

    def write(body):
        path = tmp_path / "my_table.py"
        path.write_text(OWN.replace("{body}", body))
        return path

    return write


def test_a_dataset_is_described_in_a_table_and_in_a_document(bench):
    text = bench("describe", "wine")
    assert text.code == 0
    for words in (
        "rows                 178",
        "classes              3",
        "of 48 to 71 rows",
        "duplicates           0",
        "class balance",
        "intrinsic dimension",
        "label sharpness",
        "neighbour agreement",
        "missing              0 %",
    ):
        assert words in text.out
    found = json.loads(bench("describe", "wine", "--json").out)
    assert (found["schema_version"], found["dataset"], found["rows"]) == (1, "wine", 178)
    assert found["class_rows"] == {"0": 59, "1": 71, "2": 48}
    assert found["neighbour_agreement"] > 90
    assert 3 < found["intrinsic_dim"] < 13


def test_a_dataset_of_a_plugin_file_is_described_with_its_parameters(bench, own):
    file = own(FOUR)
    found = json.loads(bench("describe", "my-table[shift=2]", "--plugins", file, "--json").out)
    assert found == {
        "schema_version": 1,
        "dataset": "my-table",
        "params": {"shift": 2},
        "rows": 4,
        "shape": [2],
        "classes": 2,
        "class_rows": {"0": 2, "1": 2},
        "duplicates": 1,
        "class_balance": 1.0,
        "intrinsic_dim": None,
        # the column's mean, a third of its range, stands for the missing value
        "label_sharpness": pytest.approx(1 / (0.25 + 1 / 9) ** 0.5),
        "equal_rows_differ": False,
        "neighbour_agreement": 75.0,
        "missing": 12.5,
    }


def test_what_a_dataset_warns_of_is_said_beside_the_figures(bench, tmp_path):
    rows = [f"{k},{k * k % 29},{'ab'[k % 2]}" for k in range(40)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["id,u,y", *rows]))
    found = bench("describe", f"csv[file={path}]", "--json")
    assert found.code == 0
    assert json.loads(found.out)["rows"] == 40
    assert found.err.startswith("bench: column 'id' of ")
    assert "numbers the rows: it tells an order of theirs" in found.err


def test_classes_of_one_size_are_described_by_it(bench):
    said = [bench("describe", *words).out for words in (("iris",), ("wine",))]
    assert "different labels, of 50 rows" in said[0]
    assert "different labels, of 48 to 71 rows" in said[1]


def test_equal_rows_with_different_labels_are_infinitely_sharp(bench, own):
    file = own("return Rows(torch.tensor([[1.0], [1.0], [3.0]]), torch.tensor([0, 1, 1]))")
    assert "label sharpness      infinite" in bench("describe", "my-table", "--plugins", file).out
    found = json.loads(bench("describe", "my-table", "--plugins", file, "--json").out)
    assert (found["label_sharpness"], found["equal_rows_differ"]) == (None, True)


def test_real_targets_have_no_classes(bench):
    found = json.loads(bench("describe", "diabetes", "--json").out)
    assert found["rows"] == 442
    assert found["classes"] is found["label_sharpness"] is found["neighbour_agreement"] is None


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("wne", 2, "unknown dataset 'wne'. Did you mean 'wine'?"),
        ("", 2, "DATASET is empty"),
        ("wine[", 2, "no closing bracket"),
        ("wine[a=1]", 2, "wine has no parameter 'a'"),
        ("csv[file=no.csv]", 4, "the CSV file 'no.csv' can't be read"),
        ("csv[file=a.csv|b.csv]", 2, "is given several values of 'file' (a.csv|b.csv)"),
    ],
)
def test_what_cannot_be_described_is_refused_in_a_sentence(bench, name, code, said):
    found = bench("describe", name)
    assert found.code == code
    assert said in found.err
    assert found.out == ""
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("raise ValueError('no such column')", 4, "(ValueError: no such column)"),
        ("raise DataUnavailable('it is not here; get it.')", 4, "it is not here; get it."),
        ("return ['a text', 'another']", 2, "holds no rows of numbers"),
        ("return Rows(torch.zeros(0, 3), torch.zeros(0).long())", 2, "shape (0, 3)"),
        ("return Rows(torch.zeros(3, 2), torch.zeros(2).long())", 2, "3 rows and 2 labels"),
        ("return Rows(torch.full((3, 2), float('inf')), torch.zeros(3).long())", 2, "infinite"),
    ],
)
def test_a_dataset_of_ones_own_that_is_wrong_is_refused_in_a_sentence(bench, own, body, code, said):
    found = bench("describe", "my-table", "--plugins", own(body))
    assert found.code == code
    assert said in found.err
    assert "Traceback" not in found.err


def test_a_broken_plugin_file_is_named(bench, tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("import no_such_module_at_all\nclass X(\n")
    found = bench("describe", "my-table", "--plugins", file)
    assert found.code in (2, 4)
    assert "broken" in found.err


def test_the_shell_completes_names_of_datasets():
    from click.shell_completion import ShellComplete

    from bench.cli import main

    shell = ShellComplete(main, {}, "bench", "_BENCH_COMPLETE")
    assert [item.value for item in shell.get_completions(["describe"], "wi")] == ["wine"]
    assert "ce" not in [item.value for item in shell.get_completions(["describe"], "")]
