"""Figures of predictions against slow versions, and what they must not depend on."""

import math

import numpy as np
import pytest
import torch
from bench.builtin.tasks.group_shift import _scores as scores
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.tracks.group_shift import Solution

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_the_worst_group_is_never_above_the_mean_of_groups_and_empty_ones_do_not_count(pairs):
    right = torch.tensor([hit for hit, _ in pairs])
    group = torch.tensor([one for _, one in pairs])
    worst, hits, size = scores.worst(right, group, 5)
    each = [
        100 * np.mean([hit for hit, one in pairs if one == g])
        for g in range(5)
        if g in group.tolist()
    ]
    assert worst == pytest.approx(min(each))
    assert worst == pytest.approx(100 * hits / size)
    assert scores.mean_of_groups(right, group, 5) == pytest.approx(np.mean(each))
    assert worst <= scores.mean_of_groups(right, group, 5) + 1e-9
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64)
    present = [g for g in range(5) if g in group.tolist()]
    assert scores.weighted(right, group, 5, weights) == pytest.approx(
        np.average(each, weights=[g + 1 for g in present])
    )


def test_groups_that_were_never_trained_on_weigh_nothing():
    right, group = torch.tensor([True, False]), torch.tensor([0, 0])
    assert scores.weighted(right, group, 2, torch.tensor([0.0, 3.0])) is None


@pytest.mark.parametrize(
    ("hits", "size", "expected"),
    # R: binom.confint(x, n, methods = "wilson")
    [(8, 10, (49.01625, 94.33178)), (0, 5, (0.0, 43.44825)), (20, 20, (83.88750, 100.0))],
)
def test_an_interval_is_wilson_s(hits, size, expected):
    assert scores.wilson(hits, size) == pytest.approx(expected, abs=1e-3)


def test_the_calibration_error_is_the_weighted_gap_of_fifteen_bins():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(200, 3, generator=generator)
    y = torch.randint(0, 3, (200,), generator=generator)
    p = logits.double().softmax(-1)
    sure, said = p.max(-1)
    expected = 0.0
    for k in range(15):
        mine = (sure > k / 15) & (sure <= (k + 1) / 15)
        if mine.any():
            gap = (said == y)[mine].double().mean() - sure[mine].mean()
            expected += float(mine.double().mean() * gap.abs())
    assert scores.calibration_error(logits, y) == pytest.approx(100 * expected)


def test_a_model_that_is_sure_and_right_is_calibrated():
    logits = 50 * torch.eye(3)
    assert scores.calibration_error(logits, torch.arange(3)) == pytest.approx(0.0, abs=1e-6)


def test_the_parity_gap_is_the_largest_difference_of_shares():
    said = torch.tensor([1, 1, 0, 0, 1, 0])
    attribute = torch.tensor([0, 0, 0, 1, 1, 1])
    assert scores.parity_gap(said, attribute) == pytest.approx(100 / 3)
    assert scores.parity_gap(said, torch.zeros(6, dtype=torch.int64)) is None


def test_explained_variance_is_that_of_least_squares_and_rotations_do_not_change_it():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (300,), generator=generator)
    features = torch.randn(300, 6, generator=generator) + torch.eye(3, 6)[labels]
    one_hot = torch.eye(3, dtype=torch.float64)[labels]
    centred = (features - features.mean(0)).double()
    fitted = one_hot @ torch.linalg.lstsq(one_hot, centred).solution
    expected = float(fitted.square().sum() / centred.square().sum())
    assert scores.explained(features, labels) == pytest.approx(expected, rel=1e-6)
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
    assert scores.explained(features @ rotation + 3, labels) == pytest.approx(expected, rel=1e-4)
    assert scores.explained(torch.ones(300, 6), labels) is None


def test_features_that_only_copy_the_label_are_explained_wholly():
    labels = torch.arange(12) % 4
    assert scores.explained(torch.eye(4)[labels], labels) == pytest.approx(1.0)


class Odd(torch.nn.Module):
    """A model whose ``features`` are of a kind of their own."""

    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, x):
        return x


@pytest.mark.parametrize(
    "features",
    ["text", lambda x: None, lambda x: x[0], lambda x: x * math.nan, lambda x: x[:1]],
)
def test_what_is_no_rows_of_numbers_is_no_features(features):
    assert scores.features_of(Odd(features), torch.ones(3, 2)) is None


def test_features_are_those_of_the_model_where_it_has_them():
    x = torch.ones(3, 2)
    assert torch.equal(scores.features_of(Odd(lambda x: 2 * x), x), 2 * x)
    assert scores.features_of(lambda x: x, x) is None


def test_precision_and_recall_are_of_the_rows_that_are_said_or_of_the_heaviest():
    conflict = torch.tensor([True, True, False, False, False])
    said = Solution(model=None, minority=torch.tensor([True, False, True, True, False]))
    assert scores.found_minority(said, conflict) == {
        "minority_prec": pytest.approx(100 / 3),
        "minority_rec": 50.0,
    }
    weighed = Solution(model=None, weight=torch.tensor([0.9, 0.1, 0.8, 0.2, 0.3]))
    assert scores.found_minority(weighed, conflict) == {"minority_prec": 50, "minority_rec": 50}
    assert scores.found_minority(Solution(model=None), conflict) == {}
    assert scores.found_minority(said, torch.zeros(5, dtype=torch.bool)) == {}
    nobody = Solution(model=None, minority=torch.zeros(5, dtype=torch.bool))
    assert scores.found_minority(nobody, conflict)["minority_prec"] is None
