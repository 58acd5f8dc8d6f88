"""The language of clock arithmetic, its splits, its check of answers, and the metrics."""

import math

import numpy as np
import pytest
import torch
from bench.builtin.tasks.policy_optimization import _arithmetic as language
from bench.builtin.tasks.policy_optimization._metrics import area, pass_at
from hypothesis import given
from hypothesis import strategies as st

problems = st.builds(
    lambda digits, signs, bracket: language.Problem(
        tuple(digits[: len(signs) + 1]), "".join(signs), bracket % len(signs)
    ),
    st.lists(st.integers(0, 9), min_size=6, max_size=6),
    st.lists(st.sampled_from("+-*"), min_size=2, max_size=5),
    st.integers(0, 4),
)


def generator(seed=0):
    return np.random.default_rng(seed)


def test_a_problem_reads_and_is_answered_as_the_example():
    problem = language.Problem((7, 8, 5, 9), "--+", 1)
    assert problem.text() == "7-(8-5)+9="
    assert problem.solution() == "8-5=3;7-3=4;4+9=3#3"


def by_hand(problem):
    """Evaluate the text itself: brackets first, then from left to right."""
    text = problem.text().rstrip("=")
    while "(" in text:
        start, end = text.index("("), text.index(")")
        text = text[:start] + str(by_hand_flat(text[start + 1 : end])) + text[end + 1 :]
    return by_hand_flat(text)


def by_hand_flat(text):
    value = int(text[0])
    for sign, digit in zip(text[1::2], text[2::2], strict=True):
        value = {"+": value + int(digit), "-": value - int(digit), "*": value * int(digit)}[
            sign
        ] % 10
    return value


@given(problems)
def test_an_answer_is_what_the_text_says(problem):
    assert problem.answer == by_hand(problem)
    assert problem.solution().endswith(f"#{problem.answer}")
    assert problem.solution().count("=") == len(problem.signs)


@given(problems)
def test_text_is_encoded_and_decoded(problem):
    ids, mask = language.encode([problem.text(), "1+1="], left=True)
    assert language.decode(ids[0].tolist()) == problem.text()
    assert mask[0].all()
    assert not mask[1, : ids.shape[1] - 5].any()
    answer, kept = language.encode([problem.solution()], left=False)
    assert language.decode(answer[0].tolist()) == problem.solution()
    assert int(answer[0, -1]) == language.END
    assert kept.all()


@given(problems)
def test_a_worked_solution_is_rewarded_and_another_digit_is_not(problem):
    ids, mask = language.encode([problem.solution()], left=False)
    answers = torch.tensor([problem.answer])
    assert language.verify(ids, mask, answers).tolist() == [1]
    assert language.verify(ids, mask, (answers + 1) % 10).tolist() == [0]


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("#3", 1),
        ("1+2=3#3", 1),
        ("#4", 0),
        ("3", 0),
        ("", 0),
        ("#", 0),
        ("##3", 0),
        ("#3#3", 0),
        ("#33", 0),
        ("#3;", 0),
        ("3#", 0),
    ],
)
def test_a_reward_needs_one_mark_and_the_right_digit_alone_behind_it(text, reward):
    ids, mask = language.encode([text], left=False)
    assert language.verify(ids, mask, torch.tensor([3])).tolist() == [reward]


def test_an_answer_that_does_not_end_has_no_reward():
    ids, mask = language.encode(["1+2=3#3"], left=False)
    assert language.verify(ids[:, :-1], mask[:, :-1], torch.tensor([3])).tolist() == [0]


def test_bad_habits_are_hasty_wrong_and_blind_as_often_as_they_should_be():
    draw = generator(1)
    bracketed = [
        problem
        for problem in (language.draw(draw, (2, 4), 1.0) for _ in range(4000))
        if problem.answer != problem._replace(bracket=0).answer
    ]
    texts = [problem.bad_habit(draw, 0.4, 0.0, 0.5) for problem in bracketed]
    hasty = np.mean([len(text) == 2 for text in texts])
    right = np.mean(
        [text == problem.solution() for text, problem in zip(texts, bracketed, strict=True)]
    )
    error = 4 * math.sqrt(0.25 / len(texts))
    assert abs(hasty - 0.4) < error
    assert abs(right - 0.3) < error
    plain = [language.draw(draw, (2, 2), 0.0) for _ in range(4000)]
    slips = np.mean(
        [problem.bad_habit(draw, 0.0, 0.5, 0.0) != problem.solution() for problem in plain]
    )
    # a slip draws the right digit once in ten
    assert abs(slips - (1 - 0.55**2)) < 4 * math.sqrt(0.25 / 4000)


def test_splits_hold_each_problem_once_and_training_none_of_them():
    splits = language.draw_splits(generator(2), 64)
    held_out = [problem for split in splits for problem in split]
    assert len(held_out) == len(set(held_out)) == 4 * 64
    training = language.draw_training(generator(3), 20_000, splits)
    assert not set(training) & set(held_out)
    assert abs(np.mean([problem.bracket > 0 for problem in training]) - 0.3) < 0.02


def test_perturbed_splits_belong_to_their_test_problems():
    splits = language.draw_splits(generator(2), 64)
    for test, simple, hard, long in zip(*splits, strict=True):
        assert test.bracket == simple.bracket == 0 < hard.bracket
        assert (simple.signs, hard.signs, hard.digits) == (test.signs, test.signs, test.digits)
        assert sum(one != other for one, other in zip(test.digits, simple.digits, strict=True)) == 1
        assert hard.answer != test.answer
        assert 2 <= len(test.signs) <= 4
        assert len(long.signs) == 5


def test_an_area_is_the_mean_height_of_straight_lines_up_to_the_end():
    assert area([(0, 0.0), (4, 100.0)], 4) == pytest.approx(50)
    assert area([(0, 0.0), (8, 100.0)], 4) == pytest.approx(25)  # cut off on its way up
    assert area([(0, 0.0), (2, 100.0)], 4) == pytest.approx(75)  # the last value goes on
    assert area([(0, 10.0)], 4) == pytest.approx(10)
    assert area([], 4) is None


def test_the_chance_of_a_right_answer_among_k_is_that_of_drawing_without_replacement():
    right = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    assert pass_at(right, 1).tolist() == pytest.approx([0.25, 0.5, 0, 1])
    assert pass_at(right, 2).tolist() == pytest.approx([0.5, 1 - 1 / 6, 0, 1])
    assert pass_at(right, 4).tolist() == pytest.approx([1, 1, 0, 1])
