"""What is not known is negative: the baseline of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.positive_unlabeled import PositiveUnlabeledMethod


class UnlabeledNegative(PositiveUnlabeledMethod):
    """Minimise the log loss with every label that is not known taken as negative."""

    card: ClassVar = MethodCard(
        name="unlabeled-negative",
        title="What is not known is negative (with many labels: assume negative)",
        track="positive-unlabeled",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_known: ClassVar = False
