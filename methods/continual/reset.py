"""A fresh start at every task."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.continual import ContinualMethod, Members

from ._points import values


class Reset(ContinualMethod):
    """Weights as they were drawn, and a fresh optimiser, at every task."""

    card: ClassVar = MethodCard(
        name="reset",
        title="A fresh start at every task",
        track="continual",
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
    )

    def start(self, members: Members) -> list[torch.Tensor]:
        """Return the weights as drawn."""
        return values(members.nets)

    def begin(self, state: list[torch.Tensor], members: Members, t: int) -> None:
        """Put them back."""
        with torch.no_grad():
            for own, first in zip(members.nets.parameters(), state, strict=True):
                own.copy_(first)
        members.optimiser = self.optimiser(members)
