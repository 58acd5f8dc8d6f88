"""The statistics of a track, against closed forms, SciPy, brute force and simulation."""

import numpy as np
import pytest
from bench.builtin.leaderboard._statistics import holm
from bench.builtin.leaderboard._verdicts import agreement, leave_one_out
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from bench.builtin.leaderboard import _aggregate as a

scores = arrays(
    float,
    array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=5),
    elements=st.floats(-1, 2).map(lambda value: round(value, 3)),
)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(0.4, 0.3, shape)


def test_one_row_of_one_task_has_the_interval_and_the_p_of_the_one_sample_t_test():
    x = drawn(1, 1, 5)
    found, expected = a.track_interval(x), stats.ttest_1samp(x[0, 0], 0.0)
    interval = expected.confidence_interval(0.95)
    assert (found.mean[0], found.low[0], found.high[0], found.p[0], found.df) == pytest.approx(
        (x.mean(), interval.low, interval.high, expected.pvalue, 4), rel=1e-9
    )


def test_one_row_of_two_tasks_has_the_degrees_of_freedom_of_welchs_test():
    # a mean of two task means has the error of the difference of two samples, halved: SciPy's test
    # of unequal variances
    x = drawn(1, 2, 6) * np.array([1.0, 7.0])[None, :, None]
    expected = stats.ttest_ind(x[0, 0], -x[0, 1], equal_var=False)
    found = a.track_interval(x)
    assert (found.p[0], found.df) == pytest.approx((expected.pvalue, expected.df), rel=1e-9)
    assert found.high[0] - found.low[0] == pytest.approx(
        (expected.confidence_interval().high - expected.confidence_interval().low) / 2, rel=1e-9
    )


def test_degrees_of_freedom_are_pooled_over_rows_and_hear_unequal_counts():
    assert a.pooled_df(np.array([2.0, 2.0, 2.0]), 5) == pytest.approx(12)
    # by hand: shares 1/3 and 1/2 of the sum, so weights .4 and .6: 1 / (.16/2 + .36/7)
    assert a.pooled_df(np.array([1.0, 4.0]), np.array([3, 8])) == pytest.approx(
        1 / (0.16 / 2 + 0.36 / 7)
    )
    # two rows of opposite spreads: together both tasks weigh the same
    assert a.pooled_df(np.array([[1.0, 3.0], [3.0, 1.0]]), 5) == pytest.approx(8)
    assert a.pooled_df(np.array([[1e-300, 1e-300]]), 4) == pytest.approx(6)
    assert a.pooled_df(np.zeros((3, 2)), 5) == np.inf


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("spread", ["equal", "unequal", "one dominates"])
@pytest.mark.parametrize("tasks", [1, 4, 10])
def test_the_interval_of_a_track_covers_its_mean_as_often_as_it_says(seeds, spread, tasks):
    sds = {
        "equal": np.ones(tasks),
        "unequal": np.linspace(0.2, 2.0, tasks),
        "one dominates": np.r_[3.0, np.full(tasks - 1, 0.3)],
    }[spread]
    x = np.random.default_rng(tasks).normal(0, sds[None, :, None], (10_000, tasks, seeds))
    found = a.track_interval(x)
    covered = float(np.mean((found.low <= 0) & (found.high >= 0)))
    assert 0.94 <= covered <= 0.97, covered


def test_the_interquartile_mean_is_scipys_trimmed_mean():
    x = drawn(3, 23)
    assert a.iqm(x) == pytest.approx([stats.trim_mean(row, 0.25) for row in x])


def test_superiority_is_mann_and_whitneys_u_over_its_most():
    x, y = drawn(3, 5).round(1), drawn(3, 4, seed=1).round(1)
    expected = np.mean([stats.mannwhitneyu(x[t], y[t]).statistic / 20 for t in range(3)])
    assert a.superiority(x, y) == pytest.approx(expected)
    assert a.superiority(x, x) == 0.5


def slow_bootstrap(resamples, statistic):
    """One resample at a time, as it is written in the textbook."""
    return np.quantile([statistic(draw) for draw in range(resamples.draws)], [0.025, 0.975])


def test_vectorised_resamples_are_those_of_a_loop():
    x, y = np.sort(drawn(3, 4), -1), np.sort(drawn(3, 4, seed=1), -1)
    found = a.Resamples(3, 4, draws=200)
    ours = lambda draw: np.stack([x[t, found._chosen[draw, t]] for t in range(3)])  # noqa: E731
    theirs = lambda draw: np.stack([y[t, found._others[draw, t]] for t in range(3)])  # noqa: E731
    assert found.iqm(x[None])[0] == pytest.approx(
        slow_bootstrap(found, lambda draw: stats.trim_mean(ours(draw).ravel(), 0.25))
    )
    assert found.superiority(x[None], y)[0] == pytest.approx(
        slow_bootstrap(found, lambda draw: a.superiority(ours(draw), theirs(draw)))
    )


def test_resampling_tasks_widens_the_interval_where_tasks_differ_and_not_where_they_do_not():
    noise = np.random.default_rng(0).normal(0, 0.05, (12, 5))
    alike, unlike = noise, noise + np.linspace(0, 1, 12)[:, None]
    found = a.Resamples(12, 5)
    narrow, wide = (np.ptp(found.wide(x[None])[0]) for x in (alike, unlike))
    assert wide > 5 * narrow
    # the variance of a mean of 12 tasks drawn from these: population variance / 12
    assert wide == pytest.approx(2 * 1.96 * (unlike.mean(-1).std() ** 2 / 12) ** 0.5, rel=0.15)


@given(scores, st.randoms())
@settings(deadline=None, max_examples=30)
def test_permuting_seeds_changes_no_interval_and_no_resample(x, random):
    order = list(range(x.shape[2]))
    random.shuffle(order)
    y, found = x[:, :, order], a.Resamples(x.shape[1], x.shape[2], draws=50)
    for one, other in zip(a.track_interval(x), a.track_interval(y), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(found.iqm(x), found.iqm(y))
    assert np.array_equal(found.superiority(x, x[1]), found.superiority(y, y[1]))
    assert np.array_equal(found.wide(x), found.wide(y))


@given(scores)
@settings(deadline=None, max_examples=30)
def test_adding_a_method_moves_no_other_methods_score_or_resamples(x):
    found = a.Resamples(x.shape[1], x.shape[2], draws=50)
    fewer = x[:-1]
    assert np.array_equal(a.track_interval(x).mean[:-1], a.track_interval(fewer).mean)
    assert np.array_equal(found.iqm(x)[:-1], found.iqm(fewer))
    assert found.wide(x)[:-1] == pytest.approx(found.wide(fewer), abs=1e-12)


def test_the_front_holds_what_nothing_dominates_by_more_than_delta():
    cost, score = np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([0.5, 0.6, 0.4, 0.59, 0.9])
    assert a.on_front(cost, score, 0.02).tolist() == [True, True, False, True, True]
    assert a.on_front(cost, score, 0.001).tolist() == [True, True, False, False, True]


def test_mean_ranks_are_those_of_scipy():
    x = drawn(5, 4, 3).round(1)
    expected = np.mean([stats.rankdata(-x[:, t].mean(-1)) for t in range(4)], 0)
    assert a.mean_ranks(x) == pytest.approx(expected)


def test_leaving_tasks_out_says_who_then_leads():
    x = np.array([[[0.9], [0.1]], [[0.2], [0.7]]])
    assert leave_one_out(["a", "b"], ["s", "t"], x) == {
        "leader": "a",
        "holds": 1,
        "of": 2,
        "without": {"s": "b", "t": "a"},
    }
    assert leave_one_out(["a", "b"], ["s"], x[:, :1]) is None
    found = agreement(["a", "b"], np.array([0.5, 0.45]), np.array([0.4, 0.5]), np.array([1.5, 1.5]))
    assert (found["mean"], found["iqm"], found["agree"]) == (["a", "b"], ["b", "a"], False)


def test_holms_adjustment_is_that_of_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(0).uniform(0, 0.1, 9).tolist()
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
