"""How far confidence agrees with accuracy, and the temperature that makes it agree better.

Shapes: n rows, C classes. Confidence is the largest probability of a row.
"""

from __future__ import annotations

import math

import msgspec
import torch
from torch.nn import functional as F

__all__ = ["BINS", "Bins", "auroc", "binned", "brier", "fit_temperature"]

BINS = 15
"""Bins of equal width on [0, 1]; bin k holds (k - 1) / 15 < confidence <= k / 15."""
_GOLDEN = (math.sqrt(5) - 1) / 2


class Bins(msgspec.Struct, frozen=True):
    """Rows by their confidence.

    Attributes:
        share: of the rows in each bin (BINS,), in [0, 1].
        confidence: mean in each bin (BINS,), in [0, 1]; 0 where there are no rows.
        accuracy: share of right rows in each bin (BINS,), in [0, 1]; 0 where there are no rows.
    """

    share: torch.Tensor
    confidence: torch.Tensor
    accuracy: torch.Tensor

    @property
    def ece(self) -> float:
        """The expected calibration error, in percent (arXiv:1706.04599, equation 3)."""
        return 100 * float((self.share * (self.accuracy - self.confidence).abs()).sum())

    @property
    def mce(self) -> float:
        """The largest gap of a bin, in percent (arXiv:1706.04599, equation 5)."""
        return 100 * float((self.accuracy - self.confidence).abs().max())


def binned(p: torch.Tensor, y: torch.Tensor) -> Bins:
    """Return the rows with probabilities ``p`` (n, C) and labels ``y`` (n,), by confidence."""
    confidence, found = p.double().max(-1)
    place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    member = F.one_hot(place, BINS).double()
    counts = member.sum(0)
    return Bins(
        counts / len(y),
        (member * confidence[:, None]).sum(0) / counts.clamp_min(1),
        (member * (found == y).double()[:, None]).sum(0) / counts.clamp_min(1),
    )


def brier(p: torch.Tensor, y: torch.Tensor) -> float:
    """Return the mean of sum_c (p_c - [c = y])^2, in [0, 2], for probabilities (n, C) and labels
    (n,).
    """
    return float((p.double() - F.one_hot(y, p.shape[-1])).square().sum(-1).mean())


def fit_temperature(logits: torch.Tensor, y: torch.Tensor, steps: int = 60) -> float:
    """Return the temperature T > 0 at which softmax(logits / T) makes the labels most likely, by
    golden section over log T in [-3, 3].

    The likelihood is unimodal in 1 / T, so the section finds its only maximum.

    Args:
        logits: of rows that the net was not trained on (n, C).
        y: their labels (n,).
        steps: each shrinks the bracket by the golden ratio.

    Source: arXiv:1706.04599, section 4.2.
    """
    logits = logits.double()

    def loss(place: float) -> float:
        return float(F.cross_entropy(logits / math.exp(place), y))

    low, high = -3.0, 3.0
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(steps):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)


def auroc(scores: torch.Tensor, others: torch.Tensor) -> float:
    """Return the chance in percent that one of ``scores`` (n,) is above one of ``others`` (m,), of
    equal ones a half.
    """
    both = torch.cat([scores, others]).double()
    _, place, counts = both.unique(return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).double()
    ranks = (ends - (counts - 1) / 2)[place[: len(scores)]]
    n, m = len(scores), len(others)
    return 100 * float((ranks.sum() - n * (n + 1) / 2) / (n * m))
