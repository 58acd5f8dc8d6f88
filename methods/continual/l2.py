"""Weights are pulled to 0."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members

from ._points import pull


class L2(ContinualMethod):
    """Add lam |theta|^2 to the loss."""

    card: ClassVar = MethodCard(
        name="l2",
        title="Weights pulled to 0",
        track="continual",
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (1e-4, 1e-3, 1e-2)},
    )
    lam: Annotated[float, Meta(ge=0)] = 1e-3
    """Weight of the term."""

    def before_step(self, state: None, members: Members, batch: Chunk) -> None:
        """Add the term's gradient."""
        pull(members.nets, (2 * self.lam * own.detach() for own in members.nets.parameters()))
