"""Answers to maths questions: found in texts, compared as numbers or letter by letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.tracks.policy_optimization.answers import boxed, check, number, same
from bench.tracks.policy_optimization.answers import given as answer_in


def test_the_last_box_is_found_with_its_braces_balanced():
    assert boxed(r"first \boxed{1}, then \boxed{\frac{1}{2}} done") == r"\frac{1}{2}"
    assert boxed(r"\boxed{x^{2}+1}") == "x^{2}+1"
    assert boxed("no box") is None
    assert boxed(r"\boxed{never closed") is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3 + 4 = 7\n#### 7", "7"),
        (r"so it is \boxed{42}", "42"),
        ("He has 5 apples and 1,200 pears.", "1,200"),
        ("nothing here", None),
        ("#### ", None),
        ("The sum is 3.50", "3.50"),
        ("#### 1\n#### 2", "2"),
    ],
)
def test_the_answer_of_a_text_stands_behind_the_marks_in_the_box_or_last(text, answer):
    assert answer_in(text) == answer


@pytest.mark.parametrize(
    ("left", "right"),
    [("1,200", "1200"), ("$5", "5.0"), (r"\frac{1}{2}", "0.5"), (r"\dfrac{3}{4}", r"\frac{3}{4}"), ("50\\%", "50"), (r"12\text{ cm}", "12"), ("x + 1", "x+1"), (r"\left(1, 2\right)", "(1,2)"), ("7.", "7")],
)  # fmt: skip
def test_answers_that_mean_the_same_are_the_same(left, right):
    assert same(left, right)
    assert same(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [("1", "2"), ("1/2", "1/3"), ("x", "y"), ("", ""), ("5", ""), ("(1,2)", "(2,1)"), ("1/0", "5")],
)
def test_answers_that_differ_are_not_the_same(left, right):
    assert not same(left, right)


@given(st.integers(-(10**9), 10**9))
def test_a_number_is_itself_however_it_is_written(value):
    assert number(f"{value:,}") == number(str(value)) == number(f"{value}.0") == value
    assert check(f"It is {value:,}.", str(value)) == 1.0
    assert check(f"It is {value + 1:,}.", str(value)) == 0.0


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_checked_without_an_error(text, answer):
    assert check(text, answer) in (0.0, 1.0)
