"""The statistics of the board, against scipy.stats, by hand and by simulation."""

import math

import numpy as np
import pytest
from bench.builtin.leaderboard._statistics import holm, mean, paired, sample_sd, t_interval, t_test
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

figures = st.floats(-1e3, 1e3)
by_seed = st.dictionaries(st.integers(0, 9), figures, min_size=1, max_size=10)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_the_t_interval_is_that_of_scipy(n):
    values = np.random.default_rng(n).normal(90, 3, n).tolist()
    expected = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    assert t_interval(values) == pytest.approx(expected, rel=1e-12)
    assert sample_sd(values) == pytest.approx(np.std(values, ddof=1), rel=1e-12)


def test_the_paired_test_is_that_of_scipy():
    generator = np.random.default_rng(0)
    ours, theirs = generator.normal(1, 1, 5), generator.normal(0, 1, 5)
    found, expected = (
        paired(dict(enumerate(ours)), dict(enumerate(theirs))),
        stats.ttest_rel(ours, theirs),
    )
    interval = expected.confidence_interval(0.95)
    assert (found.p, found.low, found.high, found.n) == pytest.approx(
        (expected.pvalue, interval.low, interval.high, 5), rel=1e-10
    )


def test_one_value_has_no_interval_and_no_p():
    assert (sample_sd([3.0]), t_interval([3.0]), t_test([3.0])) == (None, None, None)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 10])
@pytest.mark.parametrize("value", [2.0, -1e-9])
def test_differences_that_do_not_vary_have_the_p_of_the_sign_test(n, value):
    assert t_test([value] * n) == pytest.approx(stats.binomtest(n, n).pvalue, rel=1e-12)


def test_values_that_do_not_vary_have_no_interval_and_of_zeros_p_is_1():
    assert t_test([0.0, 0.0]) == 1
    assert t_interval([2.0, 2.0]) is None, "what no seed moves has no interval"


def test_tiny_differences_that_vary_are_not_taken_for_constant():
    assert t_test([1e-200, -1e-200, 3e-200]) == pytest.approx(t_test([1, -1, 3]))


@pytest.mark.parametrize(
    ("ours", "theirs"), [((60.0, 61.0), (59.0, 60.0)), ((0.4, 0.3), (0.3, 0.2))]
)
def test_two_equal_differences_have_a_mean_and_no_interval_whatever_rounding_leaves_of_them(
    ours, theirs
):
    found = paired(dict(enumerate(ours)), dict(enumerate(theirs)))
    assert found.mean == pytest.approx(ours[0] - theirs[0])
    assert (found.low, found.high, found.p, found.same) == (None, None, 0.5, False)


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=10),
    st.integers(1, 100),
    st.integers(1, 997),
)
def test_shares_of_rows_that_differ_by_the_same_rows_at_every_seed_are_judged_by_their_signs_alone(
    right, more, rows
):
    theirs = {seed: 100 * count / rows for seed, count in enumerate(right)}
    ours = {seed: 100 * (count + more) / rows for seed, count in enumerate(right)}
    found, n = paired(ours, theirs), len(right)
    assert found.mean == pytest.approx(100 * more / rows, rel=1e-6)
    assert (found.low, found.high, found.p, found.same) == (None, None, 2.0 ** (1 - n), False)
    assert (found.p < 0.05) == (n >= 6), "five equal differences do not decide"


def test_differences_that_rounding_alone_makes_are_none():
    found = paired({0: 0.1 + 0.2, 1: 0.3}, {0: 0.3, 1: 0.1 + 0.2})
    assert (found.mean, found.p, found.same) == (0.0, 1.0, True)


def test_only_common_seeds_are_compared():
    assert paired({0: 1.0, 1: 2.0}, {2: 1.0}) is None
    found = paired({0: 1.0, 1: 5.0}, {1: 2.0, 2: 9.0})
    assert (found.mean, found.n, found.low, found.p) == (3.0, 1, None, None)


def test_where_less_is_better_a_smaller_figure_gives_a_positive_difference():
    assert paired({0: 1.0, 1: 2.0}, {0: 4.0, 1: 4.0}, sign=-1).mean == 2.5


@given(by_seed, by_seed)
def test_swapping_the_sides_of_a_comparison_changes_signs_alone(ours, theirs):
    there, back = paired(ours, theirs), paired(theirs, ours)
    if there is None:
        assert back is None
        return
    assert (there.mean, there.p, there.same) == (-back.mean, back.p, back.same)
    assert there.low is None or (there.low, there.high) == pytest.approx((-back.high, -back.low))


@given(by_seed, st.randoms())
def test_the_order_of_values_changes_nothing(values, random):
    ordered, shuffled = list(values.values()), list(values.values())
    random.shuffle(shuffled)
    assert mean(ordered) == mean(shuffled)
    assert t_test(ordered) == pytest.approx(t_test(shuffled), abs=1e-9)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=10))
def test_no_finite_values_make_the_statistics_fail(values):
    low, high = t_interval(values) or (0.0, 0.0)
    p = t_test(values)
    assert p is None or math.isnan(p) or 0 <= p <= 1
    assert not low > high


def test_holm_by_hand():
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, then 1 * 0.04, which may not fall below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_counts_only_tests_that_were_made():
    assert holm([None, 0.02, math.nan, 0.5]) == [None, 0.04, None, 0.5]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_lies_between_p_and_bonferroni_and_treats_ties_alike(p_values):
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1.0, p * len(p_values)) + 1e-12
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    assert [adjusted[position] for position in order] == sorted(adjusted)
    assert len(dict(zip(p_values, adjusted, strict=True))) == len(
        set(zip(p_values, adjusted, strict=True))
    )


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_t_interval_covers_the_mean_as_often_as_it_says(n):
    draws = np.random.default_rng(n).normal(0, 1, (4000, n)).tolist()
    intervals = np.array([t_interval(row) for row in draws])
    covered = np.mean((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0))
    assert 0.93 < covered < 0.97
