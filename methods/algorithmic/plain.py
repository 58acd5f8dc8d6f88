"""Plain training: the baseline of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.algorithmic import AlgorithmicMethod


class Plain(AlgorithmicMethod):
    """Adam on the squared error, and nothing else."""

    card: ClassVar = MethodCard(
        name="plain",
        title="Plain training",
        track="algorithmic",
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
    )
