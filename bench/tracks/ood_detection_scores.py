"""Track ``ood-detection`` where a task also offers a net of the score of its rows, grad log p_t.

Shapes: as in ``bench.tracks.ood_detection``.
"""

from __future__ import annotations

from bench.tracks.ood_detection import Problem
from bench.training.score_net import ScoreNet

__all__ = ["ScoreProblem"]


class ScoreProblem(Problem, frozen=True, kw_only=True):
    """What a method sees, and where it asks, a second net of the task's.

    Attributes:
        score_net: trained on the rows ``x`` without their labels; only for methods that need
            ``score-net``.
    """

    score_net: ScoreNet | None = None
