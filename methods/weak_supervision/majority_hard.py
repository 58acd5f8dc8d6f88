"""The class with most votes."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.weak_supervision import Panel, WeakSupervisionMethod


class MajorityHard(WeakSupervisionMethod):
    """The class with most votes is the label; ties are broken at random."""

    card: ClassVar = MethodCard(
        name="majority-hard",
        title="Majority vote, ties at random",
        track="weak-supervision",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def labels(self, panel: Panel) -> torch.Tensor:
        """Return the winners (K, N, C), one-hot."""
        counts = panel.marks.sum(2)
        drawn = torch.stack(
            [
                torch.from_numpy(run.numpy_generator("method").random(counts.shape[1:]))
                for run in panel.runs
            ]
        )
        panel.count(1)
        # votes are whole: a number below 1 changes the order of equal counts alone
        winner = (counts + drawn.to(counts.device)).argmax(-1)
        return F.one_hot(winner, panel.classes).double()
