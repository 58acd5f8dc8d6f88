"""The log loss of known labels alone: what nothing but positives can teach."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.positive_unlabeled import Batch, PositiveUnlabeledMethod


class KnownOnly(PositiveUnlabeledMethod):
    """Minimise -log p on known labels and ignore all others."""

    card: ClassVar = MethodCard(
        name="known-only",
        title="Known labels alone",
        track="positive-unlabeled",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_known: ClassVar = False

    def risk(self, state: Any, batch: Batch, z: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Mean of s softplus(-z) over all labels."""
        return (batch.s * F.softplus(-z)).mean(1)
