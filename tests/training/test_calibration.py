"""Calibration errors of generators whose calibration is known, and the temperature that is fitted."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.training.calibration import BINS, auroc, binned, brier, fit_temperature


def drawn(logits, seed=0):
    """Return labels (n,) drawn from softmax(logits)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]


@pytest.fixture(scope="module")
def sure():
    """Return 20,000 logits of five classes and labels drawn from their own probabilities."""
    logits = 2 * torch.randn(20_000, 5, generator=torch.Generator().manual_seed(1))
    return logits, drawn(logits)


def test_a_perfectly_calibrated_generator_has_almost_no_error(sure):
    logits, y = sure
    assert binned(logits.softmax(-1), y).ece < 1.5


def test_a_constant_confidence_of_90_at_an_accuracy_of_50_has_an_error_of_40():
    p = torch.tensor([[0.9, 0.1]]).expand(1000, -1)
    bins = binned(p, torch.arange(1000) % 2)
    assert bins.ece == pytest.approx(40.0, abs=1e-4)
    assert bins.mce == pytest.approx(40.0, abs=1e-4)


def test_bins_are_those_of_a_loop_over_rows(sure):
    logits, y = sure[0][:500], sure[1][:500]
    p = logits.softmax(-1).double().numpy()
    found = binned(torch.from_numpy(p), y)
    rows = [[] for _ in range(BINS)]
    for row, label in zip(p, y.tolist(), strict=True):
        k = next(k for k in range(1, BINS + 1) if row.max() <= k / BINS) - 1
        rows[k].append((row.max(), row.argmax() == label))
    for k, own in enumerate(rows):
        assert float(found.share[k]) == pytest.approx(len(own) / 500)
        expected = np.mean(own, 0) if own else (0.0, 0.0)
        assert float(found.confidence[k]) == pytest.approx(expected[0])
        assert float(found.accuracy[k]) == pytest.approx(expected[1])


def test_logits_that_are_right_need_no_temperature(sure):
    assert fit_temperature(*sure) == pytest.approx(1.0, abs=0.03)


def test_three_times_the_logits_need_three_times_the_temperature(sure):
    logits, y = sure[0][:2000], sure[1][:2000]
    assert fit_temperature(3 * logits, y) == pytest.approx(3 * fit_temperature(logits, y), rel=1e-5)


def test_the_fitted_temperature_has_the_lowest_loss_of_a_grid(sure):
    logits, y = sure[0][:2000] * 1.7, sure[1][:2000]
    grid = torch.linspace(-3, 3, 601).exp()
    losses = [float(torch.nn.functional.cross_entropy(logits / t, y)) for t in grid]
    assert fit_temperature(logits, y) == pytest.approx(
        float(grid[int(np.argmin(losses))]), rel=0.02
    )


def test_brier_scores_run_from_zero_to_two():
    y = torch.tensor([0, 1])
    assert brier(torch.eye(2), y) == 0.0
    assert brier(1 - torch.eye(2), y) == 2.0
    assert brier(torch.full((2, 2), 0.5), y) == pytest.approx(0.5)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=12),
    st.lists(st.integers(0, 5), min_size=1, max_size=12),
)
def test_the_auroc_is_the_share_of_pairs_in_order_ties_counted_half(scores, others):
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in scores for b in others]
    found = auroc(torch.tensor(scores).float(), torch.tensor(others).float())
    assert found == pytest.approx(100 * np.mean(pairs))
