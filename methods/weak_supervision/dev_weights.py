"""Sources weighed by how often they are right on the rows whose labels are told."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.weak_supervision import Panel, WeakSupervisionMethod, posterior


class DevWeights(WeakSupervisionMethod):
    """Count how often each source is right on the labelled rows, and apply Bayes' rule."""

    card: ClassVar = MethodCard(
        name="dev-weights",
        title="Accuracies counted on labelled rows",
        track="weak-supervision",
        needs=("dev-labels",),
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    smoothing: Annotated[float, Meta(ge=1e-6)] = 1.0
    """Added to the counts of right and of wrong votes."""

    def labels(self, panel: Panel) -> torch.Tensor:
        """Count, then apply Bayes' rule (K, N, C)."""
        told = torch.stack([_told(one.dev_labels) for one in panel.problems])
        told = told.to(panel.votes.device)[..., None]
        cast = (panel.casts * (told >= 0)).sum(1)
        right = ((panel.votes == told) & (told >= 0)).sum(1)
        accuracy = (right + self.smoothing) / (cast + 2 * self.smoothing)
        same = torch.eye(panel.classes, dtype=torch.bool, device=told.device)
        wrong = (1 - accuracy) / (panel.classes - 1)
        panel.count(1)
        table = torch.where(same, accuracy[..., None, None], wrong[..., None, None])
        return posterior(panel, table.log())


def _told(labels: torch.Tensor | None) -> torch.Tensor:
    assert labels is not None, "the card needs the labels"
    return labels
