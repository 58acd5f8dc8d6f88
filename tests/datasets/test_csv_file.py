"""The dataset ``csv``: what a file of one's own becomes, and what is said where it can't be used."""

from __future__ import annotations

import csv
import io

import pytest
import torch
from bench.builtin.datasets.csv_file import CsvFile
from hypothesis import given
from hypothesis import strategies as st

from bench import BenchWarning, DataUnavailable

SIZES = (0, 5, 10, 3, 8, 1, 6, 20, 4, 9, 2, 7)
ROWS = [(size, "red" if k % 3 else "blue", k % 2) for k, size in enumerate(SIZES)]
GOOD = "size,colour,kind\n" + "".join(f"{k},{colour},{kind}\n" for k, colour, kind in ROWS)


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "mine.csv"

    def loaded(text, **params):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(path.parent)
            return CsvFile(file="mine.csv", **params).load(None)

    return loaded


@pytest.fixture
def refused(load):
    """Return the sentence that refuses a file."""

    def said(text, **params):
        with pytest.raises(DataUnavailable) as caught:
            load(text, **params)
        assert str(caught.value).endswith(".")
        return str(caught.value)

    return said


def column(cells, separator=","):
    """A file whose column ``u`` has the cells, beside a column of numbers and one of classes."""
    lines = [["u", "v", "y"], *([cell, k * k, "ab"[k % 2]] for k, cell in enumerate(cells))]
    return written(lines, separator)


def labelled(labels):
    """A file of numbers whose classes are the labels."""
    return written([["u", "y"], *([k * k, label] for k, label in enumerate(labels))])


def written(lines, separator=","):
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(lines)
    return text.getvalue()


def test_numbers_stay_as_they_are_and_each_text_of_a_column_is_a_column(load):
    data = load(GOOD)
    assert data.x.dtype == torch.float32
    assert data.x.tolist() == [
        [size, float(colour == "blue"), float(colour == "red")] for size, colour, _ in ROWS
    ]
    assert data.y.tolist() == [kind for _, _, kind in ROWS]
    assert data.classes == 2


def test_the_column_of_classes_is_the_one_that_is_named_and_its_classes_are_in_order(load):
    text = GOOD.replace("3,blue", "3,red").replace("7,red", "7,blue").replace("20,red", "20,blue")
    data = load(text, label="colour")
    blue = [line.split(",")[1] == "blue" for line in text.splitlines()[1:]]
    assert data.y.tolist() == [int(not found) for found in blue]
    assert data.x.tolist() == [[size, kind] for size, _, kind in ROWS]


def test_classes_that_are_numbers_are_in_the_order_of_numbers(load):
    assert load(labelled([2, 10] * 6)).y.tolist() == [0, 1] * 6


def test_of_rows_that_are_equal_but_for_the_class_the_first_counts(load):
    text = "a,b,kind\n" + "".join(f"{k * k},{k % 3},{k % 2}\n" for k in range(12))
    data = load(text + "9,0,0\n16,1,0\n")
    assert len(data.y) == 12
    assert data.y[3] == 1


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_semicolons_tabs_ends_of_line_and_a_byte_order_mark_change_nothing(load, separator, end):
    other = GOOD.replace(",", separator).replace("\n", end)
    assert torch.equal(load(b"\xef\xbb\xbf" + other.encode()).x, load(GOOD).x)


def test_a_separator_is_the_one_by_which_all_lines_have_as_many_cells(load):
    text = GOOD.replace(",", ";").replace("size", "size, in cm, of all")
    assert torch.equal(load(text).x, load(GOOD).x)
    quoted = GOOD.replace(",", ", ").replace("colour", '"colour; shade; tint"')
    assert torch.equal(load(quoted).x, load(GOOD).x)


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
        ("1,2,a\n" + "4,3,a\n5,6,b\n" * 6, {}, "seems to have no header: 'a' is the name of a"),
        (GOOD, {"label": "kinds"}, "has no column 'kinds'. Did you mean 'kind'? Its columns: size"),
        ("a,kind\n" + "1,yes\n" * 9, {}, "holds one class alone, 'yes'"),
        (GOOD, {"label": "size"}, "holds 12 classes, 12 of them with fewer than 5 rows"),
        (
            "a,kind\n" + "1,yes\n2,yes\n3,no\n" * 9,
            {},
            "where equal rows count once, column 'kind' of 'mine.csv' holds 2 classes, 2 of them",
        ),
        (GOOD + "1,red\n", {}, "line 14 of 'mine.csv' has 2 values where its header has 3"),
        (GOOD.replace("5,red,1\n", "5,red,1,\n"), {}, "line 3 of 'mine.csv' has 4 values"),
        (GOOD.replace("size", "colour"), {}, "two columns of 'mine.csv' are named 'colour'"),
        (GOOD.replace("size", ""), {}, "column 1 of 'mine.csv' has no name; name it"),
        (GOOD.replace("\n", ",\n"), {}, "column 4 of 'mine.csv' has no name"),
        (GOOD + GOOD, {}, "line 14 of 'mine.csv' repeats the header; take it out"),
        (GOOD + ",,\n", {}, "3 missing values in 3 columns, the first in row 13"),
        (wide(60), {}, "column 'name' of 'mine.csv' holds 60 different texts in 60 rows, like"),
        (wide(12), {}, "column 'name' of 'mine.csv' holds 12 different texts in 12 rows, like"),
        ("kind\n" + "a\nb\n" * 6, {}, "has no column beside 'kind'"),
        (GOOD.replace(",", "|"), {}, "separated by commas, semicolons or tabs"),
        ("a,b;c\n" + "1,2;3\n" * 9, {}, "is a table of 2 columns by ',' and of 2 columns by ';'"),
        ("", {}, "has 0 lines"),
        ("a,b\n", {}, "has 1 line; it needs a line of column names"),
        (b"a,b\n\xff,1\n", {}, "is not UTF-8 text (its byte 4 is not)"),
        (GOOD.encode("utf-16"), {}, "is not UTF-8 text (its byte 0 is not); save it as UTF-8"),
        (GOOD.encode("utf-16-le"), {}, "(it holds zero bytes, as UTF-16 does); save it as UTF-8"),
        ('a,b\n"1,2\n', {}, "is no CSV file"),
        (
            GOOD.replace("0,blue", '0,"blue', 1).replace("9,blue,1", '9,blue",1'),
            {},
            "a quoted value of 'mine.csv' that ends in line 11 holds whole lines of the file",
        ),
    ],
)
def test_what_is_no_table_of_classes_is_said_in_a_sentence(refused, text, params, said):
    assert said in refused(text, **params)


MARKS = (
    "#N/A #NA <NA> N/A NA nan NaN -nan NaT . ? NULL None \\N #NV 1.#IND -1.#QNAN #NULL! #DIV/0! "
    "#VALUE! #REF! #NAME? #NUM! #SPILL! #GETTING_DATA #BEZUG! #ZAHL!"
).split()


@pytest.mark.parametrize("mark", ["", " ", *MARKS])
def test_marks_of_missing_values_are_missing_in_numbers_texts_and_classes(refused, mark):
    numbers = refused(column([3, 1, 4, mark, 5, 9, 2, 6, 5, 3, 5, mark]))
    assert "has 2 missing values in 1 column, the first in row 4, column 'u'" in numbers
    assert "9 missing values in 1 column, the first in row 2" in refused(
        column(["p", mark, "q"] * 9)
    )
    assert "12 missing values in 1 column, the first in row 1, column 'y'" in refused(
        labelled([mark, "a", "b"] * 12)
    )


ODD = (
    "inf -inf Infinity 1_0 0x10 10% $10 10€ 1,000 1'000 (10) l0 1O 10.0.0 1.234,5 \uff11\uff10 "
    "\u0661\u0660 \u221210 1e9999999 5more -"
).split()


@pytest.mark.parametrize("odd", [*ODD, "1 000", "1\u202f000", "10\u200b"])
def test_one_value_that_is_no_number_among_numbers_is_named_with_its_row(refused, odd):
    said = refused(column([3, 1, 4, odd, 5, 9, 2, 6, 5, 3, 5, 8]))
    assert said.startswith(f"column 'u' of 'mine.csv' holds {odd!r} in row 4, and numbers in 11 of")


@pytest.mark.parametrize(
    "form", ["{}%", "${}", "{} €", "1,00{}", "1'00{}", "1_{}", "0x{}", "({})", "1.000.00{}"]
)
def test_a_column_whose_numbers_are_all_in_a_form_that_is_not_read_is_refused(refused, form):
    said = refused(column([form.format(k % 4) for k in range(12)]))
    assert f"column 'u' of 'mine.csv' holds {form.format(0)!r} in row 1; write all" in said


@pytest.mark.parametrize("kinds", ["30-39 40-49", "1st 2nd", "A1 B2", "q1 q2", "2024-01 2024-02"])
def test_kinds_with_digits_are_kinds(load, kinds):
    assert load(column(kinds.split() * 3 + kinds.split()[:1] * 6)).x.shape == (12, 3)


@pytest.mark.parametrize("cell", ["1", "+1", "1.", "1.0", "01", "1e0", "10E-1", ".1e+1"])
def test_forms_of_a_number_are_read_and_are_one_class(load, cell):
    assert load(column([cell, 2, 3, 4] * 3)).x[0].tolist() == [1, 0]
    assert load(labelled([1, cell, 2] * 6)).y.tolist() == [0, 0, 1] * 6


def test_long_numbers_that_differ_are_different_classes(load):
    data = load(labelled(["9007199254740993", "9007199254740992"] * 6))
    assert data.y.tolist() == [1, 0] * 6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("True", "true"),
        ("type a", "type  a"),
        ("caf\u00e9", "cafe\u0301"),
        ("m2", "m\u00b2"),
        ("a", "a\u200b"),
    ],
)
def test_texts_that_look_alike_are_no_two_classes_or_kinds(refused, one, other):
    for text in (labelled([one, other, "x"] * 6), column([one, other, "x"] * 6)):
        said = refused(text)
        assert "which differ in case, spaces, invisible characters or the form of a" in said
        assert repr(one) in said
        assert repr(other) in said


def test_letters_in_both_cases_are_classes(load):
    assert load(labelled(["a", "A"] * 6)).classes == 2


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_where_commas_separate_nothing_else(load, separator):
    cells = [f"{k - 6}{',5' if k % 3 else ''}" for k in range(12)]
    assert torch.equal(
        load(column(cells, separator)).x, load(column([c.replace(",", ".") for c in cells])).x
    )


def test_decimal_commas_that_may_be_another_sign_are_refused(refused):
    grouped = refused(column(["1,234", "2,345", "3"] * 4, ";"))
    assert "column 'u' of 'mine.csv' has a comma in '1,234', which may be 1.234 or 1234" in grouped
    both = refused(column(["1,5", "2.5", "3"] * 4, ";"))
    assert "has a comma in '1,5', and column 'u' a point in '2.5'" in both
    assert "holds '0,5' in row 1; write all" in refused(column(["0,5", "1,5", "2,7"] * 4))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([1700000000 + 3 * k * k for k in range(12)], "from '1700000000' to '1700000363', whose d"),
        ([f"{1 + k * k * 1e-12:.15f}" for k in range(12)], "differences are lost in float32"),
        ([f"1.{'0' * 20}{k % 5}" for k in range(12)], "differences are lost in float32"),
        ([k * k * 1e-12 for k in range(12)], "whose spread is too small to train on"),
        ([1, 2, "1e400", 3] * 3, "holds '1e400' in row 3, where nets train on numbers below 1e+15"),
        ([1, 2, "-1e15", 3] * 3, "holds '-1e15' in row 3"),
    ],
)
def test_numbers_that_float32_does_not_hold_are_refused_by_column(refused, cells, said):
    text = refused(column(cells))
    assert text.startswith("column 'u' of 'mine.csv' holds ")
    assert said in text


def test_rows_that_differ_by_less_than_float32_holds_are_not_said_to_be_equal(refused):
    text = labelled(["a", "b"] * 6) + "1.00000001,a\r\n"
    assert "rows 2 and 13 of 'mine.csv' differ by less than float32 holds" in refused(text)


@pytest.mark.parametrize("value", ["1.1", "0", "1700000000"])
def test_a_column_of_one_number_is_read(load, value):
    assert load(column([value] * 12)).x.shape == (12, 2)


def test_a_line_break_inside_quotes_is_part_of_a_class(load):
    data = load(labelled(["a\n0", "a0", "a\n1"] * 6))
    assert data.classes == 3


def test_signs_of_unicode_that_end_lines_elsewhere_end_none_here(load):
    assert load(labelled(["a\x85b", "a\u2028c"] * 6)).classes == 2


@pytest.mark.parametrize("order", [1, 5, -1])
def test_a_column_that_numbers_the_rows_in_any_order_is_told(load, order):
    numbers = [5 + order * k % 12 for k in range(12)]
    with pytest.warns(BenchWarning, match="column 'u' of 'mine.csv' numbers the rows: it tells"):
        assert load(column(numbers)).x[:, 0].tolist() == numbers


@pytest.mark.parametrize("names", [(0, 1), ("0.0", "7"), ("yes", "no"), ("a", "b")])
def test_a_column_that_is_the_class_is_refused(refused, names):
    said = refused(column([names[k % 2] for k in range(12)]))
    assert "column 'u' of 'mine.csv' has another value for each class and the same" in said


def test_a_file_that_is_not_there_or_not_named_is_said_with_what_to_give(tmp_path):
    with pytest.raises(DataUnavailable, match=r"can't be read \(No such file or directory\); name"):
        CsvFile(file=str(tmp_path / "none.csv")).load(None)
    with pytest.raises(DataUnavailable, match=r"no CSV file was named.*noisy-csv\[file="):
        CsvFile().load(None)


NUMBERS = st.integers(-(10**6), 10**6).map(lambda value: value / 64)
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(',;"\t '), max_size=6)


@given(
    numbers=st.lists(NUMBERS, min_size=12, max_size=20, unique=True),
    ends=st.lists(TEXT, min_size=2, max_size=2),
    separator=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_writer_of_csv_writes_is_read_back(load, numbers, ends, separator, quoting, end):
    numbers[0] = min(numbers) - 2.5  # so that they don't number the rows
    labels = [f"{'pq'[k % 2]}{ends[k % 2]}!" for k in range(len(numbers))]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerows([["u", "y"], *zip(numbers, labels, strict=True)])
    data = load(text.getvalue())
    assert data.x[:, 0].tolist() == numbers
    assert data.y.tolist() == [k % 2 for k in range(len(numbers))]
