"""What a dataset loads must have something in it to learn from."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
import numpy as np
import pytest
import torch

from bench.conformance import check
from bench.conformance.content import fault
from bench.declared import Array


class Table(msgspec.Struct):
    x: torch.Tensor
    y: torch.Tensor


class Gaps(msgspec.Struct):
    x: Annotated[torch.Tensor, Array("n", "d", dtype="float32", nan=True)]
    y: torch.Tensor


def table(x, y):
    return Table(torch.tensor(x, dtype=torch.float32), torch.tensor(y))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Table(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)), "it holds no rows at all"),
        (
            Table(torch.ones(3, 4), torch.zeros(0, dtype=torch.long)),
            r"y has 0 rows \(shape \(0,\)\)",
        ),
        ({"graphs": []}, "it holds no rows at all"),
        ({"graphs": [torch.ones(2)], "labels": np.array([])}, "labels has 0 rows"),
        (
            table([[1.0, 2.0], [3.0, float("nan")]], [0, 1]),
            "x is nan at row 1, column 1 and not finite in 1 of 2 rows",
        ),
        (table([[float("-inf")], [1.0]], [0, 1]), "x is -inf at row 0, column 0"),
        ({"x": np.array([1.0, np.nan]), "y": np.array([0, 1])}, "x is nan at row 1 and"),
        ({"graphs": [{"x": torch.tensor([1.0, float("inf")])}]}, r"graphs\[0\].x is inf at row 1"),
        (
            Gaps(torch.tensor([[float("nan")], [float("inf")]]), torch.arange(2)),
            "x is inf at row 1, column 0 and not finite in 1 of 2 rows",
        ),
        (
            table([[1.0], [2.0]], [3, 3]),
            "y is 3 in every row; with one class there is nothing to learn",
        ),
        ({"x": np.ones((2, 2)), "label": np.array(["a", "a"])}, "label is a in every row"),
    ],
)
def test_data_that_can_not_be_learned_from_is_a_sentence(value, said):
    assert re.match(said, fault(value))


@pytest.mark.parametrize(
    "value",
    [
        table([[1.0], [2.0]], [0, 1]),
        Gaps(torch.tensor([[float("nan")], [1.0]]), torch.arange(2)),
        {"x": torch.ones(2, 1), "human": None, "name": "a"},
        {"graphs": object()},
        {"graphs": [{"x": torch.ones(1), "edges": torch.zeros(2, 0)}], "y": torch.tensor([0, 1])},
    ],
)
def test_data_that_can_be_learned_from_passes(value):
    assert fault(value) == ""


PLUGIN = """
from pathlib import Path
from typing import ClassVar
import msgspec
import torch
from bench import Dataset, DatasetCard

class Rows(msgspec.Struct):
    x: torch.Tensor
    y: torch.Tensor

class Mine(Dataset):
    "A table of mine."

    card: ClassVar = DatasetCard(name="mine", title="A table of mine", source="me", size="small", had="local")

    def load(self, run):
        lines = Path(__file__).with_name("mine.csv").read_text().splitlines()[1:]
        cells = torch.tensor([[float(cell) for cell in line.split(",")] for line in lines]).reshape(len(lines), 3)
        return Rows(cells[:, :2], cells[:, 2].long())
"""


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "it holds no rows at all; look whether its file is empty"),
        ("1,2,0\n3,nan,1\n", "x is nan at row 1, column 1"),
        ("1,2,1\n3,4,1\n", "y is 1 in every row"),
        ("1,2,0\n3,4,1\n", ""),
    ],
)
def test_bench_check_refuses_a_data_set_of_a_bad_file(tmp_path, rows, said):
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "mine.csv").write_text("a,b,class\n" + rows)
    (report,) = check(str(tmp_path / "mine.py"), quick=True, device="cpu")
    failed = {
        finding.rule: finding.said for finding in report.findings if finding.outcome == "failed"
    }
    assert report.ok == (not said)
    assert failed.keys() == ({"rows"} if said else set())
    assert not said or failed["rows"].startswith(said)
