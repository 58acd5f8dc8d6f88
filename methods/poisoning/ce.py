"""Cross entropy on the rows as they come: the baseline of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.poisoning import PoisoningMethod


class CrossEntropy(PoisoningMethod):
    """Minimise -log p_y."""

    card: ClassVar = MethodCard(
        name="ce",
        title="Cross entropy on the rows as they come",
        track="poisoning",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
