"""Cross entropy on strong views of the labelled rows: what augmentation alone does."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from bench import MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy


class StrongLabelledOnly(SemiSupervisedMethod):
    """Minimise the cross entropy of strong views of the labelled rows."""

    card: ClassVar = MethodCard(
        name="sup-strong",
        title="Labelled rows alone, strong views",
        track="semi-supervised",
        inputs="pictures",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_pool: ClassVar = False

    def loss(self, state: Any, members: Members, batch: Batch) -> torch.Tensor:
        """H(y, f(strong x))."""
        logits = members.nets(members.strong(batch.x, "labelled"))
        members.count(forward=logits.shape[1], backward=logits.shape[1])
        return soft_cross_entropy(logits, batch.y).mean(1)
