"""What methods share that learn the current classes by labels and hold on to the earlier ones by
what the net said of the new rows before the task began.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from bench.tracks.continual import Chunk, ContinualMethod, Members, cross_entropy
from bench.training.stack import StackedNet

from ._points import frozen

_NEVER = -1e9
"""A logit that has no share in a softmax."""


class Teacher:
    """The nets as they were before the task.

    Attributes:
        nets: these nets; None in the first task.
        task_id: the task of each class (K, C).
        features: of the batch by the nets that learn (K, B, D).
        x: the batch's inputs (K, B, ...).
    """

    def __init__(self, members: Members) -> None:
        self.members, self.task_id = members, members.task_id
        self.nets: StackedNet | None = None
        self.features = torch.zeros(0)

    def old(self, t: int) -> torch.Tensor:
        """Return which classes are of earlier tasks (K, 1, C)."""
        return (self.task_id < t)[:, None]


class Distiller(ContinualMethod, frozen=True, kw_only=True):
    """Cross entropy among the classes of the current task, and :meth:`distil` for those before."""

    def start(self, members: Members) -> Teacher:
        """Return a state without a teacher."""
        return Teacher(members)

    def begin(self, state: Teacher, members: Members, t: int) -> None:
        """Take the nets as they are for the teacher."""
        state.nets = frozen(members.nets) if t else None

    def forward(self, state: Teacher, members: Members, batch: Chunk) -> torch.Tensor:
        """Return logits (K, B, C), and keep the features for the loss."""
        state.features = members.nets.features(batch.x)
        return members.nets.head(state.features)

    def loss(self, state: Teacher, batch: Chunk, logits: torch.Tensor) -> torch.Tensor:
        """Return both terms (K, B)."""
        current = (state.task_id == batch.t)[:, None]
        loss = cross_entropy(logits.masked_fill(~current, _NEVER), batch.y)
        if state.nets is None:
            return loss
        state.members.count(forward=batch.y.shape[1])
        with torch.no_grad():
            said = state.nets.features(batch.x)
        return loss + self.distil(state, batch, logits, said)

    def distil(
        self, state: Teacher, batch: Chunk, logits: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """Return the second term (K, B).

        Args:
            state: the teacher.
            batch: the rows of the step.
            logits: what the nets say of them (K, B, C).
            features: the teacher's features of them (K, B, D).
        """
        raise NotImplementedError

    def after_step(self, state: Any, members: Members, batch: Chunk, logits: torch.Tensor) -> None:
        """Let go of the features."""
        state.features = torch.zeros(0)


def softened(logits: torch.Tensor, among: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return log softmax of logits (K, B, C) / temperature among some classes (K, 1, C)."""
    return F.log_softmax((logits / temperature).masked_fill(~among, _NEVER), 2)
