"""The track's figures against counting by hand and against other implementations."""

import numpy as np
import pytest
from bench.builtin.tasks.data_valuation._metrics import (
    correlation,
    detection,
    known,
    low_cluster,
    spearman,
    twins,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

judged = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=3, max_size=30).filter(
    lambda rows: len({bad for _, bad in rows}) == 2
)


@settings(deadline=None)
@given(judged)
def test_auroc_counts_pairs_of_which_the_corrupted_row_is_worth_less_ties_as_half(rows):
    value, bad = (np.array(part) for part in zip(*rows, strict=True))
    low, high = value[bad][:, None], value[~bad]
    pairs = ((low < high) + 0.5 * (low == high)).mean()
    assert detection(value.astype(float), bad)["auroc"] == pytest.approx(100 * pairs)


@settings(deadline=None)
@given(judged)
def test_the_lower_cluster_is_the_best_split_of_all_and_only_ties_stay_together(rows):
    value = np.array([float(one) for one, _ in rows])
    found = low_cluster(value)

    def squares(mask):
        return sum(
            ((part - part.mean()) ** 2).sum() for part in (value[mask], value[~mask]) if len(part)
        )

    if len(np.unique(value)) == 1:
        assert not found.any()
    else:
        best = min(squares(value <= cut) for cut in np.unique(value)[:-1])
        assert squares(found) == pytest.approx(best)
        assert value[found].max() < value[~found].min()


def test_correlations_are_those_of_scipy_and_a_constant_has_none():
    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 5, (2, 3, 20)).astype(float)
    for mine, theirs in ((correlation, pearsonr), (spearman, spearmanr)):
        expected = [theirs(x, y).statistic for x, y in zip(a, b, strict=True)]
        np.testing.assert_allclose(mine(a, b), expected)
    assert np.isnan(spearman(np.ones((2, 20)), b[:2])).all()
    assert known(float("nan")) is None


def test_figures_by_hand():
    value = np.array([-2.0, -1.0, 3.0, 4.0, 5.0])
    bad = np.array([True, False, True, False, False])
    found = detection(value, bad)
    assert found["recall"] == 50
    assert found["ap"] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert found["kmeans_f1"] == pytest.approx(100 * 2 * 1 / 4)
    assert set(detection(value, np.zeros(5, dtype=bool)).values()) == {None}


def test_copies_are_held_against_each_other_over_the_spread_of_all():
    value = np.array([1.0, 2.0, 3.0, 1.0, 3.0])
    twin = np.array([0, 1, 2, 0, 1])
    assert twins(value, twin) == pytest.approx(0.5 / value.std())
    assert twins(value, np.arange(5)) is None
    assert twins(np.ones(5), twin) is None
