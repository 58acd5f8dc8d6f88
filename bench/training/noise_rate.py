"""How many labels are wrong, estimated from labels and probabilities."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def confident_joint(labels: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    """Return the estimated share of rows of each given (first axis) and true label, (C, C) float64;
    it sums to 1, and its rows sum to the shares of the given labels.

    A row counts as of class j where its probability of j is at least the mean probability of j over
    the rows labelled j; of several such classes as of the likeliest, of none it does not count
    (arXiv:1911.00068, section 3.1). A label of which no row counts is held right.

    Args:
        labels: given labels (N,), int64.
        probabilities: of each class, from models that did not see the row (N, C).
    """
    p = probabilities.double()
    given = F.one_hot(labels, p.shape[1]).to(p.dtype)
    counts = given.sum(0)
    threshold = torch.where(counts > 0, (given * p).sum(0) / counts.clamp_min(1), torch.inf)
    confident = p >= threshold - 1e-6
    guess = F.one_hot(p.where(confident, -torch.inf).argmax(1), p.shape[1]).to(p.dtype)
    joint = given.T @ (guess * confident.any(1, keepdim=True))
    joint += torch.diag((joint.sum(1) == 0).to(p.dtype))
    return joint / joint.sum(1, keepdim=True) * (counts / counts.sum())[:, None]


def estimated_noise_rate(labels: torch.Tensor, probabilities: torch.Tensor) -> float:
    """Return the estimated share of wrong labels, in [0, 1]: what the confident joint of labels
    (N,) and out-of-fold probabilities (N, C) has beside its diagonal.
    """
    return float(1 - confident_joint(labels, probabilities).trace().clamp(0, 1))
