"""Forgetting quality of the NeurIPS 2023 unlearning challenge
(google-deepmind/unlearning_evaluation), from its written definition.
"""

from __future__ import annotations

import math

import numpy as np

DELTA = 1e-5
CAP = 50.0
LEAST = 64
"""Fewer models than this resolve too little to be worth a figure."""


def epsilon(fpr: np.ndarray, fnr: np.ndarray) -> np.ndarray:
    """Return the privacy loss that attacks with these error rates prove, each in [0, 50].

    It is the larger of ln(1 - delta - FPR) - ln FNR and ln(1 - delta - FNR) - ln FPR. An attack
    that makes one kind of error only is dropped (NaN), one without any error proves 50.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.log(np.maximum(1 - DELTA - fpr, 0)) - np.log(fnr)
        other = np.log(np.maximum(1 - DELTA - fnr, 0)) - np.log(fpr)
        found = np.clip(np.fmax(one, other), 0, CAP)
    found = np.where((fpr == 0) != (fnr == 0), np.nan, found)
    return np.where((fpr == 0) & (fnr == 0), CAP, found)


def row_epsilon(unlearned: np.ndarray, retrained: np.ndarray) -> float:
    """Return the largest epsilon of one row over single and double thresholds.

    Args:
        unlearned: a statistic of the row for N unlearned models (N,).
        retrained: for N retrained models (N,).
    """
    spread = np.ptp(unlearned), np.ptp(retrained)
    if min(spread) < 0.01 * max(spread):
        return CAP
    values = np.unique(np.concatenate([unlearned, retrained]))
    cuts = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    below_u = np.searchsorted(np.sort(unlearned), cuts) / len(unlearned)
    below_r = np.searchsorted(np.sort(retrained), cuts) / len(retrained)
    # "Unlearned" is said inside the interval between two cuts, or outside of it; a single threshold
    # is an interval with an end outside all values.
    inside_u, inside_r = below_u[None] - below_u[:, None], below_r[None] - below_r[:, None]
    upper = np.triu_indices(len(cuts), 1)
    inside_u, inside_r = inside_u[upper], inside_r[upper]
    found = epsilon(
        np.concatenate([inside_r, 1 - inside_r]), np.concatenate([1 - inside_u, inside_u])
    )
    return float(np.nanmax(found)) if np.isfinite(found).any() else 0.0


def points(epsilons: np.ndarray, models: int) -> np.ndarray:
    """Return 1, 1/2, 1/4 ... for epsilons in [0, 0.5), [0.5, 1) ..., and 0
    from ceil(ln(N - 1)) on, beyond what N models resolve.
    """
    bucket = np.floor(epsilons / 0.5)
    return np.where(epsilons >= math.ceil(math.log(models - 1)), 0.0, 0.5**bucket)


def forgetting_quality(unlearned: np.ndarray, retrained: np.ndarray) -> float | None:
    """Return F in [0, 1], higher is better: the mean points of the rows.

    None for fewer than 64 models.

    Args:
        unlearned: phi of N unlearned models (N, S).
        retrained: phi of N retrained models (N, S).
    """
    models = len(unlearned)
    if models < LEAST:
        return None
    epsilons = np.array(
        [row_epsilon(unlearned[:, row], retrained[:, row]) for row in range(unlearned.shape[1])]
    )
    return float(points(epsilons, models).mean())
