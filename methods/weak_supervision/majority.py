"""The shares of the votes."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.weak_supervision import Panel, WeakSupervisionMethod, vote_shares


class Majority(WeakSupervisionMethod):
    """A class is as likely as its share of the votes that are cast."""

    card: ClassVar = MethodCard(
        name="majority",
        title="Majority vote, shares",
        track="weak-supervision",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def labels(self, panel: Panel) -> torch.Tensor:
        """Return the shares (K, N, C)."""
        panel.count(1)
        return vote_shares(panel)
