"""The kernels that methods plan with, against brute force and closed forms."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.tracks.policy_optimization import (
    along,
    count_of,
    max_variance_subset,
    standardised,
    top_tokens,
)

few_values = st.lists(
    st.integers(-3, 3) | st.floats(-10, 10, allow_nan=False).map(lambda value: round(value, 3)),
    min_size=1,
    max_size=9,
)


def variance(values):
    values = torch.as_tensor(values, dtype=torch.float64)
    return float((values - values.mean()).square().mean())


@given(few_values, st.integers(1, 9))
def test_no_subset_varies_more_than_the_one_chosen(values, n):
    chosen = max_variance_subset(torch.tensor(values, dtype=torch.float64), n)
    n = min(n, len(values))
    best = max(
        variance([values[k] for k in subset])
        for subset in itertools.combinations(range(len(values)), n)
    )
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert len(chosen) == n
    assert variance([values[k] for k in chosen]) == pytest.approx(best, abs=1e-9)


def test_the_best_subset_need_not_be_symmetric():
    assert max_variance_subset(torch.tensor([0.0, 0.1, 0.2, 5.0]), 3).tolist() == [0, 1, 3]
    assert max_variance_subset(torch.tensor([-5.0, 0.0, 0.1, 0.2]), 3).tolist() == [0, 2, 3]


@given(few_values, st.integers(1, 9), st.floats(-100, 100))
def test_a_shift_or_a_change_of_sign_does_not_change_the_variance_reached(values, n, shift):
    values = torch.tensor(values, dtype=torch.float64)
    reached = variance(values[max_variance_subset(values, n)])
    assert variance(values[max_variance_subset(values + shift, n)]) == pytest.approx(
        reached, abs=1e-6
    )
    assert variance(values[max_variance_subset(-values, n)]) == pytest.approx(reached, abs=1e-9)


@given(st.integers(1, 12), st.integers(0, 12), st.integers(1, 12))
def test_of_binary_rewards_half_are_ones_where_there_are_enough(size, ones, n):
    ones, n = min(ones, size), min(n, size)
    rewards = torch.zeros(size)
    rewards[torch.randperm(size, generator=torch.Generator().manual_seed(size))[:ones]] = 1
    kept = int(rewards[max_variance_subset(rewards, n)].sum())
    assert kept in {min(max(half, n - (size - ones)), ones) for half in (n // 2, (n + 1) // 2)}


def test_of_equal_values_the_last_ones_are_chosen_and_all_where_all_are_asked_for():
    assert max_variance_subset(torch.ones(5), 2).tolist() == [3, 4]
    assert max_variance_subset(torch.ones(3), 7).tolist() == [0, 1, 2]


def test_groups_are_chosen_from_at_once_as_one_by_one():
    values = torch.randn(64, 33, generator=torch.Generator().manual_seed(0)).mul(4).round()
    together = max_variance_subset(values, 12)
    assert all(
        torch.equal(row, max_variance_subset(value, 12))
        for row, value in zip(together, values, strict=True)
    )


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12), st.integers(2, 12))
def test_a_standardised_set_has_a_subset_of_at_least_unit_variance(values, n):
    values = torch.tensor(values, dtype=torch.float64)
    if n > len(values) or float(values.std(unbiased=False)) < 1e-3:
        return
    scaled = (values - values.mean()) / values.std(unbiased=False)
    reached = variance(scaled[max_variance_subset(scaled, n)])
    assert reached * n / (n - 1) >= 1 - 1e-6  # the sample's variance, for every n
    assert n % 2 or reached >= 1 - 1e-6  # the population's, for even n


@pytest.mark.parametrize("ddof", [0, 1])
def test_advantages_sum_to_zero_have_unit_spread_and_are_zero_in_a_constant_group(ddof):
    rewards = torch.tensor([[0.0, 1, 1, 0, 0, 0, 1, 0], [1.0] * 8, [0.0] * 8])
    advantages = standardised(rewards, ddof=ddof)
    assert advantages.sum(-1).abs().max() < 1e-5
    assert float(advantages[0].square().sum()) == pytest.approx(8 - ddof, abs=1e-3)
    assert not advantages[1:].any()
    q = 3 / 8
    if ddof == 0:
        assert float(advantages[0, 1]) == pytest.approx(math.sqrt((1 - q) / q), abs=1e-4)
        assert float(advantages[0, 0]) == pytest.approx(-math.sqrt(q / (1 - q)), abs=1e-4)


@given(st.integers(1, 5), st.integers(1, 6), st.floats(0.01, 1), st.randoms(use_true_random=False))
def test_the_tokens_kept_are_the_ceiling_of_the_share_and_valid_and_none_left_out_scores_higher(
    rows, columns, share, chance
):
    mask = torch.tensor([[chance.random() < 0.7 for _ in range(columns)] for _ in range(rows)])
    scores = torch.tensor(
        [[float(chance.randrange(4)) for _ in range(columns)] for _ in range(rows)]
    )
    kept = top_tokens(scores, mask, share)
    valid = int(mask.sum())
    assert int(kept.sum()) == (max(1, math.ceil(share * valid - 1e-9)) if valid else 0)
    assert not (kept & ~mask).any()
    left = mask & ~kept
    if kept.any() and left.any():
        assert scores[kept].min() >= scores[left].max()
        edge = scores[kept].min()
        kept_ties, left_ties = (
            torch.nonzero((part & (scores == edge)).flatten())[:, 0] for part in (kept, left)
        )
        assert not len(left_ties) or kept_ties.max() < left_ties.min()  # of equals the earlier


def test_a_schedule_is_exact_at_both_ends():
    assert (along(0.0, 0.25, 0.75), along(1.0, 0.25, 0.75), along(0.5, 0.2, 0.8)) == (
        0.25,
        0.75,
        0.5,
    )


def test_a_share_of_rows_is_at_least_one_and_at_most_all():
    assert [count_of(share, 16) for share in (0.001, 0.25, 0.28, 1.0)] == [1, 4, 4, 16]
