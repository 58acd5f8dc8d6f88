"""Weights are pulled to where the last task left them."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members

from ._points import moved, pull, values


class _State:
    """Weights at the last task's end."""

    def __init__(self) -> None:
        self.point: list[torch.Tensor] = []


class AnchoredWeights(ContinualMethod):
    """Add lam (theta - theta*) to the gradient: elastic weight consolidation with all weights
    alike.
    """

    card: ClassVar = MethodCard(
        name="l2-anchor",
        title="Weights pulled to the last task's",
        track="continual",
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (0.1, 1.0, 10.0)},
    )
    lam: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the term."""

    def start(self, members: Members) -> _State:
        """Return a state without a task behind."""
        return _State()

    def before_step(self, state: _State, members: Members, batch: Chunk) -> None:
        """Pull each weight to where the last task left it."""
        if state.point and self.lam:
            pull(members.nets, (self.lam * far for far in moved(members.nets, state.point)))

    def end(
        self, state: _State, members: Members, t: int, rows: tuple[torch.Tensor, torch.Tensor]
    ) -> None:
        """Remember where the weights are."""
        state.point = values(members.nets)
