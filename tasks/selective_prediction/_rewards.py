"""What actions earn, how often a method abstains, and how near outputs come to the constant that is
best without a look at the row. Abstentions in percent.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from bench import Metric

REWARD = Metric(
    name="reward",
    primary=True,
    unit="reward",
    bounds=(-4, 1),
    title="mean reward on corrupted rows: 1 for a right answer, -4 for a wrong one, 0 for none; "
    "over six kinds and five severities",
)
REWARD_ID = Metric(
    name="reward_id",
    unit="reward",
    bounds=(-4, 1),
    title="mean reward on clean rows",
)
_OF = (
    "from the optimal constant solution: divergence from the shares of the classes for a net of "
    "probabilities, mean squared difference for a net of rewards"
)
ABSTAIN_0 = Metric(
    name="abstain_0",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="share of clean rows without an answer",
)
ABSTAIN_1 = Metric(
    name="abstain_1",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="share of rows corrupted at severity 1 without an answer",
)
ABSTAIN_2 = Metric(
    name="abstain_2",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="share of rows corrupted at severity 2 without an answer",
)
ABSTAIN_3 = Metric(
    name="abstain_3",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="share of rows corrupted at severity 3 without an answer",
)
ABSTAIN_4 = Metric(
    name="abstain_4",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="share of rows corrupted at severity 4 without an answer",
)
ABSTAIN_5 = Metric(
    name="abstain_5",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="share of rows corrupted at severity 5 without an answer",
)
OCS_0 = Metric(
    name="ocs_0",
    direction="none",
    unit="distance",
    bounds=(0, None),
    title=f"distance of the outputs on clean rows {_OF}",
)
OCS_1 = Metric(
    name="ocs_1",
    direction="none",
    unit="distance",
    bounds=(0, None),
    title=f"distance of the outputs on rows corrupted at severity 1 {_OF}",
)
OCS_2 = Metric(
    name="ocs_2",
    direction="none",
    unit="distance",
    bounds=(0, None),
    title=f"distance of the outputs on rows corrupted at severity 2 {_OF}",
)
OCS_3 = Metric(
    name="ocs_3",
    direction="none",
    unit="distance",
    bounds=(0, None),
    title=f"distance of the outputs on rows corrupted at severity 3 {_OF}",
)
OCS_4 = Metric(
    name="ocs_4",
    direction="none",
    unit="distance",
    bounds=(0, None),
    title=f"distance of the outputs on rows corrupted at severity 4 {_OF}",
)
OCS_5 = Metric(
    name="ocs_5",
    direction="none",
    unit="distance",
    bounds=(0, None),
    title=f"distance of the outputs on rows corrupted at severity 5 {_OF}",
)
OCS_SLOPE = Metric(
    name="ocs_slope",
    direction="none",
    unit="correlation",
    bounds=(-1, 1),
    title="rank correlation of that distance with severity, clean rows included, mean over the "
    "kinds; below 0 where outputs drift to the constant",
)
METRICS = (
    REWARD,
    REWARD_ID,
    ABSTAIN_0,
    ABSTAIN_1,
    ABSTAIN_2,
    ABSTAIN_3,
    ABSTAIN_4,
    ABSTAIN_5,
    OCS_0,
    OCS_1,
    OCS_2,
    OCS_3,
    OCS_4,
    OCS_5,
    OCS_SLOPE,
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
