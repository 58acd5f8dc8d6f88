"""The confident joint against its definition, row by row, and against cleanlab's."""

import numpy as np
import pytest
import torch

from bench.training.noise_rate import confident_joint, estimated_noise_rate


def drawn(seed, rows=200, classes=4, missing=False):
    """Return labels (N,) and probabilities (N, C) that lean to them."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes - missing, rows)
    probabilities = generator.dirichlet(np.full(classes, 0.6), rows) + 0.4 * np.eye(classes)[labels]
    return labels, probabilities / probabilities.sum(1, keepdims=True)


@pytest.mark.parametrize("missing", [False, True])
def test_the_confident_joint_counts_rows_as_its_definition_says(missing):
    labels, probabilities = drawn(0, missing=missing)
    limits = [
        probabilities[labels == c, c].mean() if (labels == c).any() else np.inf for c in range(4)
    ]
    counts = np.zeros((4, 4))
    for row, label in zip(probabilities, labels, strict=True):
        sure = [c for c in range(4) if row[c] >= limits[c] - 1e-6]
        if sure:
            counts[label, max(sure, key=lambda c, p=row: p[c])] += 1
    expected = np.zeros((4, 4))
    for c in range(4):
        if counts[c].any():
            expected[c] = counts[c] / counts[c].sum() * (labels == c).mean()
    found = confident_joint(torch.from_numpy(labels), torch.from_numpy(probabilities))
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)
    assert found.sum().item() == pytest.approx(1)


def test_the_confident_joint_has_the_counts_of_cleanlab():
    count = pytest.importorskip("cleanlab.count")
    labels, probabilities = drawn(1, rows=500)
    counts = count.compute_confident_joint(labels, probabilities, calibrate=False)
    shares = np.bincount(labels, minlength=4) / 500
    found = confident_joint(torch.from_numpy(labels), torch.from_numpy(probabilities))
    np.testing.assert_allclose(
        found.numpy(), counts / counts.sum(1, keepdims=True) * shares[:, None], rtol=0, atol=1e-12
    )


def test_labels_that_the_model_shares_are_all_right_and_labels_without_sure_rows_too():
    labels = torch.tensor([0, 0, 1, 1])
    assert estimated_noise_rate(labels, torch.eye(2)[labels]) == 0
    swapped = torch.tensor([0, 0, 1, 1, 1, 0])
    sure = torch.eye(2)[torch.tensor([0, 0, 1, 1, 0, 1])]
    assert estimated_noise_rate(swapped, sure) == pytest.approx(1 / 3)
