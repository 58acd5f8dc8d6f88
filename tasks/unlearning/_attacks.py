"""Attacks that tell unlearned from retrained models, and the scores that go with them.

Pure functions of NumPy arrays.

Notation: K models, S rows to forget, H held-out rows; phi is the log odds of the label
(``bench.tracks.unlearning.confidence``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

Attacked = Mapping[str, Sequence[np.ndarray]]
"""What models are told apart by: for ``forget``, ``near``, ``held`` and ``some`` rows one or more
statistics, (K, n) each.
"""
POOLED_BELOW = 16
"""With fewer models than this, one spread is fitted for all rows."""
FLOOR = 0.3
"""Added to the standard deviations of log odds."""
SPLITS = 40
"""Random splits of the retrained models into two sets that their own level is read from."""


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the chance that a positive score exceeds a negative one, ties counting half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive.ravel(), negative.ravel()]))
    p, n = positive.size, negative.size
    return float((ranks[:p].sum() - p * (p + 1) / 2) / (p * n))


def tpr_at_fpr(positive: np.ndarray, negative: np.ndarray, fpr: float = 0.01) -> float:
    """Return the share of positives above the threshold that at most a
    share ``fpr`` of the negatives exceeds.
    """
    threshold = np.sort(negative.ravel())[::-1][math.floor(fpr * negative.size)]
    return float((positive > threshold).mean())


def gaussian_scores(
    unlearned: np.ndarray, retrained: np.ndarray, floor: float = FLOOR
) -> tuple[np.ndarray, np.ndarray]:
    """Score each phi by log N(phi; unlearned) - log N(phi; retrained), fitted row by row (after
    arXiv:2403.01218).

    The scored model of a side, and its partner of the other, are left out of the fits. Below 16
    models a side has one spread for all rows. ``floor`` is added to the spread.

    Args:
        unlearned: phi of the unlearned models (K, S), K >= 3.
        retrained: phi of as many retrained models (K, S).
        floor: what is added to each standard deviation.

    Returns:
        The scores of the unlearned and of the retrained models, (K, S) each; higher: more likely
        unlearned.
    """
    (mean_u, sd_u), (mean_r, sd_r) = _left_out(unlearned), _left_out(retrained)
    sd_u, sd_r = sd_u + floor, sd_r + floor

    def score(phi: np.ndarray) -> np.ndarray:
        found: np.ndarray = (
            np.log(sd_r / sd_u)
            + ((phi - mean_r) / sd_r) ** 2 / 2
            - ((phi - mean_u) / sd_u) ** 2 / 2
        )
        return found

    return score(unlearned), score(retrained)


def _left_out(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each row without model k, (K,
    S) and (K, S) or (K, 1).
    """
    k = len(phi)
    mean = (phi.sum(0) - phi) / (k - 1)
    square = (phi**2).sum(0) - phi**2
    variance = np.maximum(square - (k - 1) * mean**2, 0) / (k - 2)
    return mean, np.sqrt(variance.mean(1, keepdims=True) if k < POOLED_BELOW else variance)


def per_example(
    unlearned: np.ndarray, retrained: np.ndarray, floor: float = FLOOR
) -> dict[str, float]:
    """Return ``uauc``, ``uacc`` (%) and ``tpr1`` (%) of the per-example
    attack; 0.5, 50 and 1 are what chance gives.
    """
    ours, theirs = gaussian_scores(unlearned, retrained, floor)
    accuracy = ((ours > 0).mean() + (theirs <= 0).mean()) / 2
    return {
        "uauc": auc(ours, theirs),
        "uacc": 100 * float(accuracy),
        "tpr1": 100 * tpr_at_fpr(ours, theirs),
    }


def distance(
    unlearned: Sequence[np.ndarray], retrained: Sequence[np.ndarray], floor: float = FLOOR
) -> float:
    """Return the distance from 0.5 of the AUC by one or more statistics of the same rows, (K, n)
    each, whose scores are added up.
    """
    scores = [
        gaussian_scores(ours, theirs, floor)
        for ours, theirs in zip(unlearned, retrained, strict=True)
    ]
    return abs(auc(*(sum(side) for side in zip(*scores, strict=True))) - 0.5)  # type: ignore[arg-type]


def apart(unlearned: Attacked, retrained: Attacked, floor: float = FLOOR) -> float:
    """Return how far apart two sets of K models are, in [0, 0.5]: the mean of two distances.

    One is that on forgotten rows or on neighbours of them, the larger; a table of answers changes
    the rows and not the neighbours. The other is that on held-out rows or on rows that stay, the
    larger; what is done to all outputs changes these too.
    """
    forget, near, held, some = (
        distance(unlearned[part], retrained[part], floor)
        for part in ("forget", "near", "held", "some")
    )
    return (max(forget, near) + max(held, some)) / 2


def own_level(retrained: Attacked, floor: float = FLOOR) -> float:
    """Return how far retrained models are apart: what ``apart`` stays below in 19 of 20 random
    splits of 2 K of them into two sets of K. No model is compared with itself.

    Args:
        retrained: statistics of 2 K retrained models, (2 K, n) each.
        floor: what is added to each standard deviation.
    """
    generator = np.random.default_rng(0)  # the same splits in every run
    models = len(retrained["forget"][0])
    found = []
    for _ in range(SPLITS):
        sides = np.split(generator.permutation(models), 2)
        one, other = (
            {part: [each[side] for each in found_there] for part, found_there in retrained.items()}
            for side in sides
        )
        found.append(apart(one, other, floor))
    return float(np.quantile(found, 0.95))


def contrast(
    forget: np.ndarray, held: np.ndarray, retrained_forget: np.ndarray, retrained_held: np.ndarray
) -> float:
    """Return cAUC: how far the forgotten rows of one model stand out from held-out ones, each row
    measured against K retrained models.

    z = (phi - mean_k phi_k) / (sd_k + 0.5); the AUC of z on the S rows against the H rows. It
    cancels shifts that all rows share.

    Args:
        forget: phi of the model on the rows to forget (S,).
        held: phi of the model on held-out rows (H,).
        retrained_forget: phi of the retrained models (K, S).
        retrained_held: phi of the retrained models (K, H).
    """

    def z(phi: np.ndarray, others: np.ndarray) -> np.ndarray:
        found: np.ndarray = (phi - others.mean(0)) / (others.std(0, ddof=1) + 0.5)
        return found

    return auc(z(forget, retrained_forget), z(held, retrained_held))


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """Return the mean over rows of the Jensen-Shannon divergence of
    distributions (S, C), in nats.
    """
    middle = (p + q) / 2
    return float(((_relative(p, middle) + _relative(q, middle)) / 2).mean())


def kullback_leibler(p: np.ndarray, q: np.ndarray) -> float:
    """Return the mean over rows of KL(p || q) of distributions (S, C), in nats."""
    return float(_relative(p, q).mean())


def _relative(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    from scipy.special import rel_entr

    found: np.ndarray = rel_entr(p, np.maximum(q, 1e-300)).sum(-1)
    return found


def distances(unlearned: np.ndarray, retrained: np.ndarray) -> dict[str, float]:
    """Return ``js`` and ``kl`` between unlearned probabilities (K', S, C) and the mean of the
    retrained (K, S, C), and ``js_floor``: one retrained against the mean of the others.
    """
    mean = retrained.mean(0)
    floor = [
        jensen_shannon(one, (retrained.sum(0) - one) / (len(retrained) - 1)) for one in retrained
    ]
    return {
        "js": float(np.mean([jensen_shannon(one, mean) for one in unlearned])),
        "js_floor": float(np.mean(floor)),
        "kl": float(np.mean([kullback_leibler(mean, one) for one in unlearned])),
    }


def mia_svc(retain: np.ndarray, test: np.ndarray, forget: np.ndarray, most: int = 500) -> float:
    """Return the legacy "MIA" of many papers: the share (%) of forgotten rows that an SVM takes for
    non-members.

    Its one feature is the probability of the label; it is fitted to tell ``retain`` rows from
    ``test`` rows, equally many of each, ``most`` at most and taken evenly. It is what random
    relabelling fools, and ranks nothing here.
    """
    from sklearn.svm import SVC

    size = min(len(retain), len(test), most)
    x = np.concatenate([rows[evenly(len(rows), size)] for rows in (retain, test)])[:, None]
    machine = SVC(C=3, gamma="auto", kernel="rbf").fit(x, np.repeat([1, 0], size))
    return 100 * float((machine.predict(forget[:, None]) == 0).mean())


def evenly(count: int, most: int) -> np.ndarray:
    """Return the places of ``most`` of ``count`` rows at most, evenly from the first to the last: a
    dataset may come sorted by class, and its first rows would be of few classes.
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)
