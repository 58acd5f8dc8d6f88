"""What actions earn, how often a method abstains, and how near outputs come to the constant that is
best without a look at the row. Abstentions in percent.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from bench import Metric

_STRENGTHS = ("clean rows", *(f"rows corrupted at severity {k}" for k in range(1, 6)))
REWARD = Metric(
    name="reward",
    primary=True,
    unit="reward",
    bounds=(-4, 1),
    title="mean reward on corrupted rows: 1 for a right answer, -4 for a wrong one, 0 for none; "
    "over six kinds and five severities",
)
METRICS = (
    REWARD,
    Metric(
        name="reward_id",
        unit="reward",
        bounds=(-4, 1),
        title="mean reward on clean rows",
    ),
    *(
        Metric(
            name=f"abstain_{k}",
            direction="none",
            unit="%",
            bounds=(0, 100),
            title=f"share of {rows} without an answer",
        )
        for k, rows in enumerate(_STRENGTHS)
    ),
    *(
        Metric(
            name=f"ocs_{k}",
            direction="none",
            unit="distance",
            bounds=(0, None),
            title=f"distance of the outputs on {rows} from the optimal constant solution: "
            "divergence from the shares of the classes for a net of probabilities, mean squared "
            "difference for a net of rewards",
        )
        for k, rows in enumerate(_STRENGTHS)
    ),
    Metric(
        name="ocs_slope",
        direction="none",
        unit="correlation",
        bounds=(-1, 1),
        title="rank correlation of that distance with severity, clean rows included, mean over the "
        "kinds; below 0 where outputs drift to the constant",
    ),
)


def divergence(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return KL(softmax(f) || shares) of each row (n,).

    Args:
        logits: f (n, C).
        shares: of the classes (C,), above 0.
    """
    log_p = logits.double().log_softmax(1)
    return (log_p.exp() * (log_p - shares.double().log())).sum(1)


def by_severity(values: np.ndarray) -> list[float]:
    """Return the figures of clean rows and of severities 1 to 5, each a mean over the kinds.

    Args:
        values: of clean rows, then of the severities of each kind in turn (1 + 5 x kinds,).
    """
    return [float(values[0]), *map(float, values[1:].reshape(-1, 5).mean(0))]


def drift(distances: np.ndarray) -> float | None:
    """Return the rank correlation of distance with severity from 0 to 5, mean over the kinds; None
    where no kind's distances differ.

    Args:
        distances: of clean rows, then of the severities of each kind in turn (1 + 5 x kinds,).
    """
    lines = [np.append(distances[0], own) for own in distances[1:].reshape(-1, 5)]
    lines = [line for line in lines if line.max() > line.min()]
    found = [float(stats.spearmanr(np.arange(6), line).statistic) for line in lines]
    return float(np.mean(found)) if found else None
