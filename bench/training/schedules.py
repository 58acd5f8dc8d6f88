"""How a learning rate falls over a run."""

from __future__ import annotations

import math
from typing import Literal

import msgspec


class Schedule(msgspec.Struct, frozen=True):
    """A learning rate as a function of the place in a run.

    Attributes:
        kind: ``cosine``: half a cosine down to ``floor`` over the whole run, step by step.
            ``restarts``: the same over ``period`` epochs, again and again, epoch by epoch
            (arXiv:1608.03983 with T_mult = 1). ``steps``: times ``gamma`` at each milestone.
        floor: where a cosine ends.
        period: epochs of a restart.
        milestones: epochs, counted from 0, before which the rate falls.
        gamma: factor of a fall.
    """

    kind: Literal["cosine", "restarts", "steps"] = "cosine"
    floor: float = 0.0
    period: int = 10
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1

    def rate(self, lr: float, epoch: int, done: float) -> float:
        """Return the rate that began as ``lr``, in an epoch from 0, when
        the share ``done`` of the run's steps is behind.
        """
        if self.kind == "steps":
            return lr * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
        place = done if self.kind == "cosine" else epoch % self.period / self.period
        return self.floor + 0.5 * (lr - self.floor) * (1 + math.cos(math.pi * place))
