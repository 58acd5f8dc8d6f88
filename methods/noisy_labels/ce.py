"""Cross entropy on the given labels: the null method of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod


class CrossEntropy(NoisyLabelMethod):
    """Minimise -log p_y on the labels as given."""

    card: ClassVar = MethodCard(
        name="ce",
        title="Cross entropy on the given labels",
        track="noisy-labels",
        official_code="none",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
