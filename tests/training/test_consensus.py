"""Consensus of neighbours: counts and soft labels row by row, and the matrix that they come from."""

import numpy as np
import torch

from bench.training.consensus import consensus_counts, soft_labels, transition_of


def test_the_transition_matrix_is_found_from_the_shares_that_it_makes():
    t = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.6, 0.4], [0.3, 0.1, 0.6]], dtype=torch.float64)
    p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    second, third = torch.zeros(3, 3), torch.zeros(3, 3, 3)
    for i in range(3):
        for a in range(3):
            for b in range(3):
                second[a, b] += p[i] * t[i, a] * t[i, b]
                for c in range(3):
                    third[a, b, c] += p[i] * t[i, a] * t[i, b] * t[i, c]
    matrix, prior = transition_of((p @ t, second.double(), third.double()))
    torch.testing.assert_close(matrix, t, rtol=0, atol=0.03)
    torch.testing.assert_close(prior, p, rtol=0, atol=0.03)


def test_soft_labels_and_consensus_are_counted_row_by_row():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((40, 5)), generator.integers(0, 3, 40)
    found, nearest = soft_labels(torch.from_numpy(x), torch.from_numpy(y), 6, 3, part=7)
    shares = consensus_counts(torch.from_numpy(y), nearest, 3)
    expected = [np.zeros(3), np.zeros((3, 3)), np.zeros((3, 3, 3))]
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    for i in range(40):
        cosine = unit @ unit[i]
        others = sorted((j for j in range(40) if j != i), key=lambda j, c=cosine: -c[j])
        weights = [2 * cosine[others[0]] - cosine[others[1]], *cosine[others[:5]]]
        votes = np.zeros(3)
        for j, weight in zip([i, *others[:5]], weights, strict=True):
            votes[y[j]] += max(weight, 0)
        np.testing.assert_allclose(found[i].numpy(), votes / votes.sum(), rtol=0, atol=1e-12)
        a, b, c = y[i], y[others[0]], y[others[1]]
        expected[0][a] += 1 / 40
        expected[1][a, b] += 1 / 40
        expected[2][a, b, c] += 1 / 40
    for mine, slow in zip(shares, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), slow, rtol=0, atol=1e-12)
