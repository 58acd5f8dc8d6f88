"""Cross entropy on whatever comes: the baseline of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.continual import ContinualMethod


class Naive(ContinualMethod):
    """One step a batch, and nothing against forgetting."""

    card: ClassVar = MethodCard(
        name="naive",
        title="Naive training on the stream",
        track="continual",
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
    )
