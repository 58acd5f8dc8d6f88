"""The statistics of a track, against closed forms, SciPy, scikit-posthocs, brute force and simulation."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from bench.builtin.leaderboard._statistics import holm
from bench.builtin.leaderboard._verdicts import agreement, family, leave_one_out, standing, verdict
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from bench.builtin.leaderboard import _aggregate as a

scores = arrays(float, array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=5), elements=st.floats(-1, 2).map(lambda value: round(value, 3)))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(0.4, 0.3, shape)


def test_one_task_has_the_interval_and_the_p_of_the_one_sample_t_test():
    x = drawn(4, 1, 5)
    found = a.track_interval(x)
    for row in range(4):
        expected = stats.ttest_1samp(x[row, 0], 0.0)
        interval = expected.confidence_interval(0.95)
        assert (found.mean[row], found.low[row], found.high[row], found.p[row], found.df[row]) == pytest.approx(
            (x[row, 0].mean(), interval.low, interval.high, expected.pvalue, 4), rel=1e-9
        )


def test_two_tasks_have_the_degrees_of_freedom_of_welchs_test():
    # a mean of two task means has the error of the difference of two samples, halved: SciPy's test of unequal variances
    x = drawn(1, 2, 6) * np.array([1.0, 7.0])[None, :, None]
    expected = stats.ttest_ind(x[0, 0], -x[0, 1], equal_var=False)
    found = a.track_interval(x)
    assert (found.p[0], found.df[0]) == pytest.approx((expected.pvalue, expected.df), rel=1e-9)
    assert found.high[0] - found.low[0] == pytest.approx((expected.confidence_interval().high - expected.confidence_interval().low) / 2, rel=1e-9)


def test_equal_variances_add_their_degrees_of_freedom_and_unequal_counts_are_heard():
    error, df = a.welch(np.array([2.0, 2.0, 2.0]), 5)
    assert (error, df) == pytest.approx(((3 * 2 / 5) ** 0.5 / 3, 12))
    error, df = a.welch(np.array([1.0, 4.0]), np.array([3, 8]))  # by hand: (1/3 + 1/2)^2 / ((1/3)^2/2 + (1/2)^2/7)
    assert (error, df) == pytest.approx(((5 / 6) ** 0.5 / 2, (5 / 6) ** 2 / (1 / 18 + 1 / 28)))


def test_scores_that_do_not_vary_leave_no_doubt():
    found = a.track_interval(np.full((1, 3, 4), 0.1))
    assert (found.low[0], found.high[0], found.p[0]) == pytest.approx((0.1, 0.1, 0.0))
    assert a.track_interval(np.zeros((1, 2, 3))).p[0] == 1.0


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("spread", ["equal", "unequal", "one dominates"])
@pytest.mark.parametrize("tasks", [1, 4, 10])
def test_the_interval_of_a_track_covers_its_mean_as_often_as_it_says(seeds, spread, tasks):
    sds = {"equal": np.ones(tasks), "unequal": np.linspace(0.2, 2.0, tasks), "one dominates": np.r_[3.0, np.full(tasks - 1, 0.3)]}[spread]
    x = np.random.default_rng(tasks).normal(0, sds[None, :, None], (10_000, tasks, seeds))
    found = a.track_interval(x)
    covered = float(np.mean((found.low <= 0) & (found.high >= 0)))
    # three seeds of ten tasks of which one has ten times the spread: its variance is all, and known by three values (docs/leaderboard.md)
    assert (0.92 if (spread, seeds, tasks) == ("one dominates", 3, 10) else 0.93) <= covered <= 0.97, covered


@pytest.mark.parametrize("tasks", [3, 6, 9])
def test_signed_ranks_have_scipys_exact_p(tasks):
    d = drawn(6, tasks, seed=tasks) - 0.3
    assert a.signed_rank(d) == pytest.approx([stats.wilcoxon(row, method="exact").pvalue for row in d])


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_signed_ranks_with_ties_and_zeros_have_the_p_of_all_assignments_of_signs(values):
    d = np.array(values, float)
    ranks = stats.rankdata(np.abs(d[d != 0]))
    reached = abs(2 * ranks[d[d != 0] > 0].sum() - ranks.sum())
    sums = [abs(2 * ranks[np.array(signs, bool)].sum() - ranks.sum()) for signs in product([0, 1], repeat=len(ranks))]
    assert a.signed_rank(d[None])[0] == pytest.approx(np.mean([value >= reached for value in sums]))


def test_the_fewest_tasks_that_signed_ranks_can_tell_apart():
    # least two-sided p: 2 / 2^T; eleven tests against one baseline need T = 9, all 66 pairs of twelve methods T = 12
    assert [min(tasks for tasks in range(1, 20) if a.can_reach(tasks, tests)) for tests in (1, 11, 66)] == [6, 9, 12]


def leading(x):
    return int(np.argmax(a.track_interval(x).mean))


def test_verdicts_agree_with_scikit_posthocs_on_pairwise_wilcoxon_and_holm():
    import scikit_posthocs

    x = np.random.default_rng(3).normal(0, 0.05, (4, 14, 1)) + np.array([0.9, 0.85, 0.4, 0.1])[:, None, None] + np.zeros((1, 1, 3))
    x += np.random.default_rng(4).normal(0, 0.01, x.shape)
    frame = pd.DataFrame(x.mean(-1).T, columns=list("abcd")).melt(var_name="method", value_name="score")
    expected = scikit_posthocs.posthoc_wilcoxon(frame, "score", "method", method="exact", p_adjust="holm")
    for i, j, found in standing(x, 0.02, leading(x)).pairs:
        assert found.p_holm == pytest.approx(expected.iloc[i, j])


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
    assert found.iqm(x) == pytest.approx(slow_bootstrap(found, lambda draw: stats.trim_mean(ours(draw).ravel(), 0.25)))
    assert found.superiority(x[None], y)[0] == pytest.approx(slow_bootstrap(found, lambda draw: a.superiority(ours(draw), theirs(draw))))
    assert np.quantile(found.means(x[None])[:, 0], [0.025, 0.975]) == pytest.approx(slow_bootstrap(found, lambda draw: ours(draw).mean()))


def test_resampling_tasks_widens_the_interval_where_tasks_differ_and_not_where_they_do_not():
    noise = np.random.default_rng(0).normal(0, 0.05, (12, 5))
    alike, unlike = noise, noise + np.linspace(0, 1, 12)[:, None]
    found = a.Resamples(12, 5)
    narrow, wide = (np.ptp(found.wide(x[None])[0]) for x in (alike, unlike))
    assert wide > 5 * narrow
    # the variance of a mean of 12 tasks drawn from these: population variance / 12
    assert wide == pytest.approx(2 * 1.96 * (unlike.mean(-1).std() ** 2 / 12) ** 0.5, rel=0.15)


def test_the_bootstrap_of_the_mean_has_the_known_variance():
    x = drawn(1, 4, 6)
    expected = (x[0].var(-1) / 6).sum() ** 0.5 / 4
    assert a.Resamples(4, 6).means(x)[:, 0].std() == pytest.approx(expected, rel=0.03)


@given(scores, st.randoms())
@settings(deadline=None, max_examples=30)
def test_permuting_seeds_changes_nothing(x, random):
    order = list(range(x.shape[2]))
    random.shuffle(order)
    y, found = x[:, :, order], a.Resamples(x.shape[1], x.shape[2], draws=50)
    for one, other in zip(a.track_interval(x), a.track_interval(y), strict=True):
        assert np.array_equal(one, other)
    assert found.iqm(x[0]) == found.iqm(y[0])
    assert np.array_equal(found.superiority(x, x[1]), found.superiority(y, y[1]))
    assert np.array_equal(found.wide(x), found.wide(y))
    assert np.array_equal(found.rank_ranges(x, 0.02), found.rank_ranges(y, 0.02))
    assert standing(x, 0.02, leading(x)) == standing(y, 0.02, leading(y))


@given(scores)
@settings(deadline=None, max_examples=30)
def test_adding_a_method_moves_no_other_methods_score_interval_or_resamples(x):
    found = a.Resamples(x.shape[1], x.shape[2], draws=50)
    fewer = x[:-1]
    for whole, part in zip(a.track_interval(x), a.track_interval(fewer), strict=True):
        assert np.array_equal(whole[:-1], part)
    assert found.wide(x)[:-1] == pytest.approx(found.wide(fewer), abs=1e-12)


@given(scores)
@settings(deadline=None, max_examples=30)
def test_methods_that_are_equal_share_rank_and_range_and_no_one_is_bold(x):
    same = np.repeat(x[:1], 3, 0)
    found = standing(same, 0.02, leading(same))
    assert (found.ranks, found.bold) == ([1, 1, 1], [False] * 3)
    assert {pair.verdict for _, _, pair in found.pairs} == {"same"}
    assert (a.Resamples(x.shape[1], x.shape[2], draws=50).rank_ranges(same, 0.02) == 1).all()


@given(scores)
@settings(deadline=None, max_examples=30)
def test_a_rank_counts_who_is_better_among_all_pairs_and_none_worse_than_the_leader_shares_the_first(x):
    leader = leading(x)
    found = standing(x, 0.02, leader)
    better = {(i, j) if pair.verdict == "better" else (j, i) for i, j, pair in found.pairs if pair.verdict in ("better", "worse")}
    worse = {row for row, one in enumerate(found.vs_leader) if one is not None and one.verdict == "worse"}
    for row, rank in enumerate(found.ranks):
        others = {winner for winner, loser in better if loser == row} | ({leader} if row in worse else set())
        assert rank == 1 + len(others)


def test_the_family_against_the_leader_sees_what_all_pairs_do_not():
    noise = np.random.default_rng(0).normal(0, 0.1, (12, 2, 5))
    x = np.linspace(0.7, 0.3, 12)[:, None, None] + noise
    found = standing(x, 0.02, leading(x))
    pairs = {(i, j) for i, j, pair in found.pairs if pair.verdict in ("better", "worse")}
    seen = {row for row, one in enumerate(found.vs_leader) if one is not None and one.verdict == "worse"}
    more = {row for row in seen if (min(row, leading(x)), max(row, leading(x))) not in pairs}
    assert more
    assert all(found.ranks[row] > 1 for row in seen)


@given(scores)
@settings(deadline=None, max_examples=30)
def test_turning_a_pair_round_turns_its_verdict_round(x):
    there, back = family(x[:1] - x[1:2], 0.02)[0][0], family(x[1:2] - x[:1], 0.02)[0][0]
    assert (there.mean, there.p) == pytest.approx((-back.mean, back.p))
    assert {"better": "worse", "worse": "better"}.get(there.verdict, there.verdict) == back.verdict


def test_better_takes_both_an_adjusted_p_and_a_difference_worth_the_name():
    assert verdict(0.05, 0.03, 0.07, 0.01, 0.02) == "better"
    assert verdict(-0.05, -0.07, -0.03, 0.01, 0.02) == "worse"
    assert verdict(0.01, 0.005, 0.015, 0.001, 0.02) == "same"  # beyond doubt, and too small to matter
    assert verdict(0.05, -0.01, 0.11, 0.2, 0.02) == "undecided"
    assert verdict(0.01, -0.01, 0.03, 0.2, 0.02) == "undecided"


def test_bold_is_who_is_better_than_all_below_and_never_the_last():
    noise = np.random.default_rng(0).normal(0, 0.01, (4, 3, 5))
    found = standing(np.array([0.9, 0.895, 0.5, 0.1])[:, None, None] + noise, 0.02, 0)
    assert (found.ranks, found.bold) == ([1, 1, 3, 4], [False, True, True, False])


@pytest.mark.parametrize("tasks", [1, 5])
def test_the_seeds_needed_give_the_power_that_simulation_finds(tasks):
    generator = np.random.default_rng(1)
    pilot = generator.normal(0.05, 0.1, (tasks, 8))
    needed = a.seeds_needed(pilot, 0.02)
    effect, sds = pilot.mean(), pilot.std(-1, ddof=1)
    runs = generator.normal(effect, sds[None, :, None], (4000, tasks, needed))
    assert np.mean(a.track_interval(runs).p < 0.05) == pytest.approx(0.8, abs=0.06)


def test_the_seeds_needed_are_those_of_a_power_analysis_by_statsmodels():
    from statsmodels.stats.power import TTestPower

    pilot = np.random.default_rng(2).normal(0.1, 0.2, (1, 10))
    expected = TTestPower().solve_power(effect_size=pilot.mean() / pilot.std(ddof=1), power=0.8, alpha=0.05)
    assert a.seeds_needed(pilot, 0.02) == int(np.ceil(expected))


def test_no_number_of_seeds_finds_what_is_too_small():
    assert a.seeds_needed(np.array([[0.011, 0.009, 0.01]]), 0.02) is None
    assert a.seeds_needed(np.full((2, 3), 0.5), 0.02) == 2


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
    assert leave_one_out(["a", "b"], ["s", "t"], x) == {"leader": "a", "holds": 1, "of": 2, "without": {"s": "b", "t": "a"}}
    assert leave_one_out(["a", "b"], ["s"], x[:, :1]) is None
    found = agreement(["a", "b"], np.array([0.5, 0.45]), np.array([0.4, 0.5]), np.array([1.5, 1.5]))
    assert (found["mean"], found["iqm"], found["agree"]) == (["a", "b"], ["b", "a"], False)


def test_holms_adjustment_is_that_of_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(0).uniform(0, 0.1, 9).tolist()
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
