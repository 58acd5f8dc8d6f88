"""The rows of the largest losses are left out of a step: a control."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.algorithmic import AlgorithmicMethod, Batch, squared


class Trim(AlgorithmicMethod):
    """Take the mean of all losses of a batch but the largest."""

    card: ClassVar = MethodCard(
        name="trim",
        title="The largest losses left out",
        track="algorithmic",
        signal="loss",
        plain=True,
        stacked=True,
        defaults_from="here",
        tuning={"share": (0.1, 0.2, 0.3)},
    )
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Share of the rows of a step that is left out."""

    def loss(self, state: None, batch: Batch, outputs: torch.Tensor) -> torch.Tensor:
        """Return the losses that are left, (K, B')."""
        losses = squared(outputs, batch.y)
        kept = losses.shape[1] - int(self.share * losses.shape[1])
        return losses.topk(kept, 1, largest=False, sorted=False).values if self.share else losses
