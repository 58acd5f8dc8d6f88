"""The attacks against slow computations of their formulas, and on numbers whose answer is known."""

import math

import numpy as np
import pytest
from bench.builtin.tasks.unlearning._attacks import (
    auc,
    contrast,
    distances,
    gaussian_scores,
    jensen_shannon,
    kullback_leibler,
    mia_svc,
    per_example,
    tpr_at_fpr,
)
from bench.builtin.tasks.unlearning._data import noisy
from bench.builtin.tasks.unlearning._quality import epsilon, forgetting_quality, points, row_epsilon
from bench.builtin.tasks.unlearning._views import places
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
)
def test_auc_is_the_share_of_pairs_in_order_ties_counting_half(positive, negative):
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    assert auc(np.array(positive, float), np.array(negative, float)) == pytest.approx(
        sum(pairs) / len(pairs)
    )


def test_true_positives_are_counted_above_what_one_false_one_in_a_hundred_exceeds():
    negative = np.arange(200.0)
    # 198 and 199 exceed the threshold 197: 1 %
    assert tpr_at_fpr(np.array([196.5, 197.5, 198.5]), negative) == pytest.approx(2 / 3)
    assert tpr_at_fpr(negative, negative) == pytest.approx(0.01)


@pytest.mark.parametrize("models", [5, 20], ids=["one spread a side", "a spread a row"])
def test_a_score_is_the_log_ratio_of_two_gaussians_fitted_without_the_scored_models(models):
    unlearned, retrained = draw(models, 6), draw(models, 6, seed=1) + 1
    found = gaussian_scores(unlearned, retrained)
    for k in (0, models - 1):
        rest_u, rest_r = np.delete(unlearned, k, 0), np.delete(retrained, k, 0)
        var_u, var_r = rest_u.var(0, ddof=1), rest_r.var(0, ddof=1)
        if models < 16:
            var_u, var_r = var_u.mean(), var_r.mean()
        for scored, phi in zip(found, (unlearned, retrained), strict=True):
            slow = norm.logpdf(phi[k], rest_u.mean(0), np.sqrt(var_u) + 0.3) - norm.logpdf(
                phi[k], rest_r.mean(0), np.sqrt(var_r) + 0.3
            )
            np.testing.assert_allclose(scored[k], slow, rtol=1e-9, atol=1e-9)


def test_models_of_one_kind_are_not_told_apart_and_of_two_kinds_at_once():
    one, two = draw(16, 300), draw(16, 300, seed=1)
    same = per_example(one, two)
    assert same["uauc"] == pytest.approx(0.5, abs=0.03)
    assert same["uacc"] == pytest.approx(50, abs=3)
    assert same["tpr1"] == pytest.approx(1, abs=1)
    apart = per_example(one + 10, two)
    assert apart["uauc"] == 1
    assert apart["uacc"] == 100


def test_the_contrast_cancels_what_moves_all_rows_alike_and_sees_what_moves_the_forgotten_ones():
    others, held = draw(8, 200, seed=1), draw(8, 200, seed=2)
    phi, phi_held = draw(200, seed=3), draw(200, seed=4)
    clean = contrast(phi, phi_held, others, held)
    assert clean == pytest.approx(0.5, abs=0.06)
    assert contrast(phi + 5, phi_held + 5, others, held) == pytest.approx(clean, abs=0.06)
    assert contrast(phi + 5, phi_held, others, held) > 0.98
    assert contrast(phi - 5, phi_held, others, held) < 0.02


def test_the_contrast_measures_each_row_against_the_retrained_models_by_hand():
    others = np.array([[0.0, 1.0], [2.0, 1.0]])  # means 1 and 1, deviations sqrt 2 and 0
    z = [(3 - 1) / (math.sqrt(2) + 0.5), (1.2 - 1) / 0.5]
    assert z[0] > z[1]
    held = np.array([[0.0], [0.0]])  # z of the held-out row is its phi over 0.5
    # 0.6 lies between both
    assert contrast(np.array([3.0, 1.2]), np.array([0.3]), others, held) == 0.5
    assert contrast(np.array([3.0, 1.2]), np.array([0.1]), others, held) == 1.0


def test_divergences_by_hand():
    p, q = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert kullback_leibler(p, q) == pytest.approx(math.log(2))
    assert jensen_shannon(p, q) == pytest.approx(
        (math.log(4 / 3) + 0.5 * math.log(2 / 3) + 0.5 * math.log(2)) / 2
    )
    # the most there is
    assert jensen_shannon(p, np.array([[0.0, 1.0]])) == pytest.approx(math.log(2))
    assert jensen_shannon(p, p) == 0


def test_the_floor_of_the_divergence_holds_each_retrained_model_against_the_others():
    retrained = np.array([[[0.9, 0.1]], [[0.5, 0.5]], [[0.1, 0.9]]])
    found = distances(retrained[:1], retrained)
    slow = np.mean(
        [jensen_shannon(retrained[k], np.delete(retrained, k, 0).mean(0)) for k in range(3)]
    )
    assert found["js_floor"] == pytest.approx(slow)
    assert found["js"] == pytest.approx(jensen_shannon(retrained[0], np.array([[0.5, 0.5]])))
    assert found["kl"] == pytest.approx(kullback_leibler(np.array([[0.5, 0.5]]), retrained[0]))


def test_the_legacy_attack_calls_rows_like_members_members():
    generator = np.random.default_rng(0)
    retain, test = generator.uniform(0.9, 1, 300), generator.uniform(0, 0.5, 300)
    assert mia_svc(retain, test, generator.uniform(0.9, 1, 50)) < 5
    assert mia_svc(retain, test, generator.uniform(0, 0.5, 50)) > 95


# Forgetting quality ---------------------------------------------------------------


def test_epsilon_of_error_rates_by_hand():
    found = epsilon(np.array([0.5, 0.1, 0.0, 0.0, 0.3]), np.array([0.5, 0.2, 0.0, 0.4, 0.0]))
    assert found[0] == pytest.approx(0, abs=1e-3)
    assert found[1] == pytest.approx(
        max(math.log(1 - 1e-5 - 0.1) - math.log(0.2), math.log(1 - 1e-5 - 0.2) - math.log(0.1))
    )
    assert found[2] == 50
    assert np.isnan(found[3:]).all()


def test_points_halve_every_half_and_end_where_the_models_do():
    # ceil(ln 63) = 5
    assert points(np.array([0.0, 0.49, 0.5, 1.0, 4.99, 5.0]), 64).tolist() == [
        1,
        1,
        0.5,
        0.25,
        0.5**9,
        0,
    ]


def test_a_row_s_epsilon_is_the_largest_over_all_intervals():
    generator = np.random.default_rng(0)
    unlearned, retrained = generator.standard_normal(12) * 2, generator.standard_normal(12)
    cuts = np.sort(np.concatenate([unlearned, retrained]))
    cuts = [cuts[0] - 1, *((cuts[1:] + cuts[:-1]) / 2), cuts[-1] + 1]
    best = 0.0
    for i, low in enumerate(cuts):
        for high in cuts[i + 1 :]:
            for inside in (True, False):
                said_u, said_r = (
                    (low < values) & (values < high) if inside else (values < low) | (values > high)
                    for values in (unlearned, retrained)
                )
                value = epsilon(np.array([said_r.mean()]), np.array([1 - said_u.mean()]))[0]
                best = max(best, 0.0 if np.isnan(value) else value)
    assert row_epsilon(unlearned, retrained) == pytest.approx(best)


def test_forgetting_quality_is_high_for_one_kind_of_models_and_none_for_two_or_too_few():
    same = forgetting_quality(draw(64, 20), draw(64, 20, seed=1))
    assert 0.05 < same <= 1
    assert forgetting_quality(draw(64, 20) + 6, draw(64, 20, seed=1)) < 1e-3
    assert forgetting_quality(draw(63, 20), draw(63, 20, seed=1)) is None
    assert row_epsilon(np.zeros(64), draw(64)) == 50  # a side without any spread


# Label noise -------------------------------------------------------------------------


def test_label_noise_moves_an_exact_share_of_every_class_to_other_classes():
    y = np.repeat(np.arange(5), 40)
    changed = noisy(y, 0.1, 5, np.random.default_rng(0))
    assert [(changed[y == c] != c).sum() for c in range(5)] == [4] * 5
    assert changed.min() >= 0
    assert changed.max() <= 4
    assert (noisy(y, 0.0, 5, np.random.default_rng(0)) == y).all()


# Rows that are attacked ----------------------------------------------------------------


def test_attacked_rows_reach_evenly_from_the_first_to_the_last_and_parts_lie_one_after_the_other():
    forget = np.zeros(20, dtype=bool)
    forget[[2, 3, 5, 7]] = True
    found = places(forget, held=10, test=6)
    assert found["forget"].tolist() == [2, 3, 5, 7]
    assert found["held"].tolist() == [20, 23, 26, 29]  # and not the first four
    assert found["some"].tolist() == [0, 9, 14, 19]  # the 16 others: first, sixth, eleventh, last
    assert found["test"].tolist() == list(range(30, 36))
    assert found["near"].tolist() == list(range(36, 40))
    few = places(forget, held=3, test=6)
    assert few["held"].tolist() == [20, 21, 22]
    assert len(few["some"]) == 3
