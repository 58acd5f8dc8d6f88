"""Rows drawn at random: the baseline of the track."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.active_learning import ActiveMethod, View


class Random(ActiveMethod):
    """Ask rows that are drawn at random."""

    card: ClassVar = MethodCard(
        name="random",
        title="Rows at random",
        track="active-learning",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return open rows (count,), each as likely."""
        drawn = view.generator("rows")
        order = torch.randperm(len(view.open), generator=drawn, device=drawn.device)
        return view.open[order[: view.count]]
