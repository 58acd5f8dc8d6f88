"""The dataset ``csv``: what a file of one's own becomes, and what is said where it can't be used."""

from __future__ import annotations

import pytest
import torch
from bench.builtin.datasets.csv_file import CsvFile

from bench import DataUnavailable

ROWS = [(k, "red" if k % 3 else "blue", k % 2) for k in range(12)]
GOOD = "size,colour,kind\n" + "".join(f"{k},{colour},{kind}\n" for k, colour, kind in ROWS)


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def loaded(text, **params):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "mine.csv").write_bytes(data)
        return CsvFile(file="mine.csv", **params).load(None)

    return loaded


def test_numbers_stay_as_they_are_and_each_text_of_a_column_is_a_column(load):
    data = load(GOOD)
    assert data.x.dtype == torch.float32
    assert data.x.tolist() == [[k, float(k % 3 == 0), float(k % 3 != 0)] for k in range(12)]
    assert data.y.tolist() == [kind for _, _, kind in ROWS]
    assert data.classes == 2


def test_the_column_of_classes_is_the_one_that_is_named_and_its_classes_are_in_order(load):
    text = GOOD.replace("4,red", "4,blue")  # five rows of each class at least
    data = load(text, label="colour")
    assert data.y.tolist() == [int(k % 3 != 0 and k != 4) for k in range(12)]
    assert data.x.tolist() == [[k, k % 2] for k in range(12)]


def test_classes_that_are_numbers_are_in_the_order_of_numbers(load):
    text = "a,kind\n" + "".join(f"{k},{(2, 10)[k % 2]}\n" for k in range(12))
    assert load(text).y.tolist() == [0, 1] * 6


def test_of_rows_that_are_equal_but_for_the_class_the_first_counts(load):
    text = "a,b,kind\n" + "".join(f"{k},{k % 3},{k % 2}\n" for k in range(12)) + "3,0,0\n4,1,0\n"
    data = load(text)
    assert len(data.y) == 12
    assert data.y[3] == 1


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_tabs_ends_of_line_and_a_byte_order_mark_change_nothing(load, separator):
    other = GOOD.replace(",", separator).replace("\n", "\r\n")
    assert torch.equal(load(b"\xef\xbb\xbf" + other.encode()).x, load(GOOD).x)


def wide(rows):
    return "name,kind\n" + "".join(f"person {k},{k % 2}\n" for k in range(rows))


@pytest.mark.parametrize(
    ("text", "params", "said"),
    [
        (
            GOOD.replace("3,blue", "3,"),
            {},
            "1 missing value in 1 column, the first in row 4, column",
        ),
        (GOOD.replace("blue", "NaN"), {}, "4 missing values in 1 column"),
        (GOOD.split("\n", 1)[1].replace("red", "1").replace("blue", "2"), {}, "has no header"),
        (GOOD, {"label": "kinds"}, "has no column 'kinds'. Did you mean 'kind'? Its columns: size"),
        ("a,kind\n" + "1,yes\n" * 9, {}, "holds one class alone, 'yes'"),
        (GOOD, {"label": "size"}, "holds 12 classes, 12 of them with fewer than 5 rows"),
        (
            "a,kind\n" + "1,yes\n2,no\n" * 9,
            {},
            "where equal rows count once, column 'kind' of 'mine.csv' holds 2 classes, 2 of them",
        ),
        (GOOD + "1,red\n", {}, "line 14 of 'mine.csv' has 2 values where its header has 3"),
        (GOOD.replace("size", "colour"), {}, "two columns of 'mine.csv' are named 'colour'"),
        (wide(60), {}, "column 'name' of 'mine.csv' holds 60 different texts, like 'person 0'"),
        ("kind\n" + "a\nb\n" * 6, {}, "has no column beside 'kind'"),
        ("", {}, "has 0 lines"),
        ("a,b\n", {}, "has 1 line; it needs a line of column names"),
        (b"a,b\n\xff,1\n", {}, "is not UTF-8 text (its byte 4 is not)"),
        ('a,b\n"1,2\n', {}, "is no CSV file"),
    ],
)
def test_what_is_no_table_of_classes_is_said_in_a_sentence(load, text, params, said):
    with pytest.raises(DataUnavailable) as caught:
        load(text, **params)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_file_that_is_not_there_or_not_named_is_said_with_what_to_give(tmp_path):
    with pytest.raises(DataUnavailable, match=r"can't be read \(No such file or directory\); name"):
        CsvFile(file=str(tmp_path / "none.csv")).load(None)
    with pytest.raises(DataUnavailable, match=r"no CSV file was named.*noisy-csv\[file="):
        CsvFile().load(None)
