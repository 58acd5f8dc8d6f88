"""The family of all pairs: tests against SciPy and statsmodels, places and
ranges against brute force, errors against simulation.
"""

from itertools import combinations

import numpy as np
import pytest
from bench.builtin.leaderboard._family import WORDS, family
from bench.builtin.leaderboard._power import MOST, detectable, seeds_for, seeds_needed
from bench.builtin.leaderboard._standing import standing
from bench.builtin.leaderboard._verdicts import against, columns
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

scores = arrays(
    float,
    array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6),
    elements=st.floats(-1, 2).map(lambda value: round(value, 3)),
)


def stands(x, delta=0.02, failed=None):
    found = family(x, delta)
    return standing(
        found,
        np.round(np.sort(x, -1).mean(-1).mean(-1), 12),
        np.zeros(len(x), bool) if failed is None else np.array(failed),
    )


def test_a_pair_on_one_task_has_the_p_and_interval_of_the_paired_t_test_and_holms_adjustment_is_statsmodels():
    from statsmodels.stats.multitest import multipletests

    x = np.random.default_rng(0).normal(0.4, 0.3, (5, 1, 6))
    found = family(x, 0.02)
    for place, (i, j) in enumerate(combinations(range(5), 2)):
        expected = stats.ttest_rel(x[i, 0], x[j, 0])
        interval = expected.confidence_interval(0.95)
        assert (found.p[place], found.low[place], found.high[place]) == pytest.approx(
            (expected.pvalue, interval.low, interval.high)
        )
        assert (found.first[place], found.second[place]) == (i, j)
    assert found.p_holm == pytest.approx(multipletests(found.p, method="holm")[1])
    assert sorted(found.level) == pytest.approx([0.05 / left for left in range(10, 0, -1)])
    assert np.argsort(found.p).tolist() == np.argsort(found.level).tolist(), (
        "the smallest p must pass the strictest level"
    )


def test_degrees_of_freedom_of_pairs_are_pooled_over_the_family():
    spreads = np.array([1.0, 1.0, 10.0])
    x = np.random.default_rng(1).normal(0, spreads[None, :, None], (30, 3, 5))
    found = family(x, 0.0)
    v = np.mean([(x[i] - x[j]).var(-1, ddof=1) for i, j in combinations(range(30), 2)], 0)
    assert found.df == pytest.approx(4 / ((v / v.sum()) ** 2).sum())
    assert 4 < found.df < 5, "one task is nearly all of the error"


def test_where_less_is_better_the_sign_turns():
    x = np.random.default_rng(2).normal(0, 1, (4, 2, 5))
    up, down = family(x, 0.0), family(-x, 0.0, sign=-1)
    assert up.mean == pytest.approx(down.mean)
    assert np.array_equal(up.state, down.state)


def test_better_takes_both_an_adjusted_p_and_a_difference_of_at_least_delta():
    noise = np.random.default_rng(0).normal(0, 0.001, (3, 4, 5))
    x = np.array([0.5, 0.49, 0.1])[:, None, None] + noise
    assert [WORDS[state] for state in family(x, 0.02).state] == ["same", "better", "better"]
    assert [WORDS[state] for state in family(x, 0.005).state] == ["better", "better", "better"]
    loud = np.array([0.5, 0.3, 0.1])[:, None, None] + 300 * noise
    assert "undecided" in [WORDS[state] for state in family(loud, 0.02).state]


def test_an_undecided_pair_leans_where_its_own_interval_excludes_0():
    x = np.random.default_rng(4).normal(0, 0.1, (12, 1, 5)) + np.linspace(0.3, 0, 12)[:, None, None]
    found = family(x, 0.02)
    leaning = (found.state == 0) & ((found.low > 0) | (found.high < 0))
    assert leaning.any()
    assert np.array_equal(found.leans, np.where(leaning, np.sign(found.mean), 0))


@pytest.mark.parametrize("seeds", [3, 5])
def test_rows_that_no_seed_moves_take_the_variance_of_the_others(seeds):
    steady = np.repeat(np.array([0.3, 0.5, 5.3])[:, None], seeds, 1)
    x = np.concatenate([steady, np.random.default_rng(0).normal(0, 0.2, (3, seeds))])[:, None]
    found = family(x, 0.02)
    assert found.error[0] == found.error[1] > 0
    assert [WORDS[state] for state in found.state[:2]] == ["undecided", "worse"]


@pytest.mark.parametrize(("seeds", "verdict"), [(3, "undecided"), (5, "same")])
def test_rows_with_one_figure_at_five_seeds_are_the_same(seeds, verdict):
    x = np.random.default_rng(0).normal(0, 0.5, (4, 1, seeds))
    x[:2] = 0.3
    assert WORDS[family(x, 0.02).state[0]] == verdict


@pytest.mark.parametrize(("seeds", "verdict"), [(3, "undecided"), (5, "undecided"), (6, "worse")])
def test_where_nothing_varies_the_signs_decide(seeds, verdict):
    found = family(np.repeat(np.array([0.3, 0.5])[:, None, None], seeds, -1), 0.02)
    assert found.p[0] == stats.binomtest(seeds, seeds).pvalue
    assert (WORDS[found.state[0]], found.leans[0]) == (verdict, 0)


@pytest.mark.parametrize("apart", [0.1, 0.01])
def test_two_rows_with_one_difference_are_undecided_even_where_rounding_varies_it(apart):
    ours = np.array([0.4, 0.3, 0.35, 0.4, 0.45])
    found = family(np.stack([ours, ours - apart])[:, None], 0.02)
    assert (found.p[0], WORDS[found.state[0]], found.leans[0]) == (1 / 16, "undecided", 0)
    same = family(np.stack([ours, ours])[:, None], 0.02)
    assert WORDS[same.state[0]] == "same"


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("step", [0.5, 2.0])
def test_figures_that_come_in_coarse_steps_decide_nothing_by_their_repetitions(seeds, step):
    generator = np.random.default_rng(5)
    wrong = sum(
        bool(family(np.round(generator.normal(0, 1, (10, 1, seeds)) * step) / step, 0.0).wins.any())
        for _ in range(400)
    )
    assert wrong <= 0.06 * 400 + 8  # two deviations of 400 boards


def brute(x, delta, failed):
    """Places, ranges and the leading group, row by row, as docs/leaderboard.md has them."""
    wins, means = family(x, delta).wins, np.round(np.sort(x, -1).mean(-1).mean(-1), 12)
    rows = range(len(x))
    place = [1 + sum(means[j] > means[i] for j in rows) for i in rows]
    low = [min(1 + sum(wins[j, i] for j in rows), place[i]) for i in rows]
    high = [max(len(x) - sum(wins[i, j] for j in rows), place[i]) for i in rows]
    ends = []
    for i in rows:
        lower = (
            place[i]
            if failed[i]
            else min([low[i], *(low[j] for j in rows if means[j] < means[i] and not failed[j])])
        )
        ends.append((lower, max([high[i], *(high[j] for j in rows if means[j] > means[i])])))
    firsts = [i for i in rows if place[i] == 1]
    apart = [any(wins[first, i] for first in firsts) for i in rows]
    leading = [
        not apart[i]
        and (place[i] == 1 or not failed[i])
        and not any(apart[j] and place[j] <= place[i] for j in rows)
        for i in rows
    ]
    return place, ends, leading


@given(scores, st.data())
@settings(deadline=None, max_examples=60)
def test_places_ranges_and_the_leading_group_are_those_of_the_rule(x, data):
    failed = data.draw(st.lists(st.booleans(), min_size=len(x), max_size=len(x)))
    found = stands(x, failed=failed)
    assert (
        found.place.tolist(),
        list(zip(found.low.tolist(), found.high.tolist(), strict=True)),
        found.leading.tolist(),
    ) == brute(x, 0.02, failed)


@given(scores, st.randoms())
@settings(deadline=None, max_examples=40)
def test_neither_the_order_of_seeds_nor_that_of_rows_changes_where_rows_stand(x, random):
    seeds, rows = list(range(x.shape[2])), list(range(len(x)))
    random.shuffle(seeds)
    random.shuffle(rows)
    before, after = stands(x), stands(x[rows][:, :, seeds])
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one[rows], other)


@given(scores)
@settings(deadline=None, max_examples=40)
def test_no_range_runs_against_the_scores_and_every_range_holds_its_place(x):
    found = stands(x)
    order = np.argsort(found.place, kind="stable")
    for better, worse in combinations(order, 2):
        if found.place[better] < found.place[worse]:
            assert found.low[better] <= found.low[worse]
            assert found.high[better] <= found.high[worse]
            assert found.leading[better] >= found.leading[worse]
    assert ((found.low <= found.place) & (found.place <= found.high)).all()


@given(scores)
@settings(deadline=None, max_examples=30)
def test_methods_that_are_equal_share_place_and_range(x):
    found = stands(np.repeat(x[:1], 3, 0))
    assert (
        found.place.tolist(),
        found.low.tolist(),
        found.high.tolist(),
        found.leading.tolist(),
    ) == ([1, 1, 1], [1, 1, 1], [3, 3, 3], [True] * 3)


@given(scores, st.data())
@settings(deadline=None, max_examples=60)
def test_a_run_that_fails_improves_neither_place_nor_lower_end_nor_joins_the_leaders(x, data):
    row, task, seed = (data.draw(st.integers(0, size - 1)) for size in x.shape)
    worse = x.copy()
    worse[row, task, seed] = min(x[row, task, seed], data.draw(st.sampled_from([-1.0, -0.2, 0.0])))
    failed = np.arange(len(x)) == row
    before, after = stands(x), stands(worse, failed=failed)
    assert after.place[row] >= before.place[row]
    assert after.low[row] == after.place[row] >= before.low[row]
    assert before.leading[row] or not after.leading[row]


def test_a_failed_row_moves_no_lower_end_of_others():
    generator = np.random.default_rng(0)
    x = generator.normal(0, 0.3, (8, 1, 5)) + np.linspace(0.6, 0, 8)[:, None, None]
    whole, marked = stands(x), stands(x, failed=np.argsort(-x.mean((1, 2))) == 99)
    assert np.array_equal(whole.low, marked.low)
    second = int(np.flatnonzero(whole.place == 2)[0])
    failed = stands(x, failed=np.arange(8) == second)
    assert failed.low[second] == 2 > whole.low[second]
    others = np.arange(8) != second
    assert np.array_equal(failed.low[others], whole.low[others])


def test_the_leading_group_ends_at_the_first_that_is_worse_however_unsure_later_rows_are():
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 1, (4, 1, 5)) * np.array([0.01, 0.01, 0.01, 1.0])[:, None, None]
    noise -= noise.mean(-1, keepdims=True)
    x = np.array([0.9, 0.895, 0.5, 0.1])[:, None, None] + noise
    found = stands(x)
    assert found.leading.tolist() == [True, True, False, False]
    assert not family(x, 0.02).wins[0, 3], "the last row alone could not be told from the first"


def test_verdicts_against_a_row_are_those_of_the_pairs_turned_round():
    x = (
        np.random.default_rng(6).normal(0, 0.05, (5, 3, 5))
        + np.array([0.5, 0.4, 0.3, 0.28, 0.1])[:, None, None]
    )
    found = family(x, 0.02)
    pairs = columns(found, list("abcde"))
    for row in range(5):
        for other, one in enumerate(against(found, pairs, row)):
            if other == row:
                assert one is None
                continue
            alone = family(x[[other, row]], 0.02)
            assert one["mean"] == pytest.approx(alone.mean[0], abs=1e-6)
            assert one["low"] <= one["mean"] <= one["high"]
            assert (one["verdict"], one["verdict"] == "worse") == (
                one["verdict"],
                bool(found.wins[row, other]),
            )


def test_the_least_distance_found_is_that_of_the_noncentral_t():
    from scipy.special import nctdtr, stdtrit

    for df, level in ((2.0, 0.05), (4.0, 0.05 / 45), (13.7, 0.05 / 6), (60.0, 0.05)):
        away = detectable(np.array([df]), np.array([level]))[0, 0]
        assert 1 - nctdtr(df, away, stdtrit(df, 1 - level / 2)) == pytest.approx(0.9, abs=1e-3)


def test_the_seeds_needed_are_those_of_a_power_analysis_by_statsmodels():
    from statsmodels.stats.power import TTestPower

    for away, level in ((1.0, 0.05), (0.8, 0.05 / 10), (0.6, 0.05)):
        expected = TTestPower().solve_power(effect_size=away, power=0.9, alpha=level)
        assert seeds_for(np.array([away]), np.array([level]), 3, 1.0)[0] == int(np.ceil(expected))
    assert seeds_for(np.array([0.1, 5.0]), np.array([0.05, 0.05]), 10, 1.0).tolist() == [
        MOST + 1,
        11,
    ]


@given(scores)
@settings(deadline=None, max_examples=12)
def test_seeds_are_promised_for_undecided_differences_worth_the_name_alone_and_always_more_than_were_run(
    x,
):
    found = family(x, 0.02)
    needed = seeds_needed(found)
    open_ = (found.state == 0) & (np.abs(found.mean) >= 0.02) & (found.error > 0)
    assert np.array_equal(needed > 0, open_)
    assert (needed[open_] > x.shape[2]).all()
    assert (needed <= MOST + 1).all()


def board(generator, methods, tasks, seeds, spread, rows, apart):
    """Return true scores and a board's scores; ``apart`` is the deviation
    of the true scores in standard errors of a mean.
    """
    of_row = {
        "equal": np.ones(methods),
        "unequal": np.exp(np.linspace(-1, 1, methods)),
        "one row five times": np.r_[5.0, np.ones(methods - 1)],
    }[rows]
    of_task = np.ones(tasks) if spread == "equal" else np.r_[10.0, np.ones(tasks - 1)]
    error = np.sqrt((of_task**2).sum() / seeds) / tasks * np.sqrt((of_row**2).mean())
    truth = generator.normal(0, 1, methods) * apart * error
    return truth, truth[:, None, None] + generator.normal(
        0, 1, (methods, tasks, seeds)
    ) * generator.permuted(of_row)[:, None, None] * of_task[:, None]


def holding(generator, boards, methods, tasks, seeds, spread, rows, apart):
    """Return the share of boards in which every range holds the true rank and none runs against the
    scores; without true differences: no pair is told apart.
    """
    held = 0
    for _ in range(boards):
        truth, x = board(generator, methods, tasks, seeds, spread, rows, apart)
        found = stands(x, delta=0.0)
        rank = 1 + (truth[None, :] > truth[:, None]).sum(1)
        order = np.argsort(-x.mean((1, 2)))
        assert (np.diff(found.place[order]) >= 0).all()
        assert (np.diff(found.low[order]) >= 0).all()
        assert (np.diff(found.high[order]) >= 0).all()
        held += (
            bool((found.low <= rank).all() and (rank <= found.high).all())
            if apart
            else bool((found.high == methods).all() and (found.low == 1).all())
        )
    return held / boards


def least(share, boards):
    """Return a share less two deviations of the number of boards."""
    return share - 2 * (share * (1 - share) / boards) ** 0.5


def test_ranges_hold_true_ranks_and_null_boards_err_as_rarely_as_they_say():
    generator = np.random.default_rng(11)
    for tasks, seeds, spread, rows in (
        (1, 3, "equal", "equal"),
        (3, 5, "one task ten times", "unequal"),
        (10, 10, "equal", "one row five times"),
    ):
        assert holding(generator, 300, 10, tasks, seeds, spread, rows, 0) >= least(0.94, 300)
        assert holding(generator, 300, 10, tasks, seeds, spread, rows, 3) >= 0.94
    assert holding(generator, 40, 60, 3, 5, "equal", "unequal", 3) >= 0.90


def decided(generator, boards, methods, tasks, seeds, apart):
    """Return how many promised pairs with a true difference of half a deviation or more are decided
    by the seeds promised, and how many there are.
    """
    right = total = 0
    for _ in range(boards):
        truth = generator.normal(0, apart, methods)
        x = truth[:, None, None] + generator.normal(0, 1, (methods, tasks, MOST))
        found = family(x[..., :seeds], 0.0)
        needed = seeds_needed(found)
        large = np.abs(truth[found.first] - truth[found.second]) >= 0.5 * 2**0.5
        for count in np.unique(needed[large & (needed > 0) & (needed <= MOST)]):
            asked = large & (needed == count)
            right += int((family(x[..., :count], 0.0).state[asked] != 0).sum())
            total += int(asked.sum())
    return right, total


def test_the_seeds_promised_decide():
    generator = np.random.default_rng(14)
    found = [decided(generator, 12, 8, 1, 5, apart) for apart in (1, 2)]
    assert sum(right for right, _ in found) >= 0.7 * sum(total for _, total in found) > 50
