"""Cross entropy on the labelled rows alone: the baseline of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.semi_supervised import SemiSupervisedMethod


class LabelledOnly(SemiSupervisedMethod):
    """Minimise the cross entropy of weak views of the labelled rows."""

    card: ClassVar = MethodCard(
        name="sup",
        title="Labelled rows alone",
        track="semi-supervised",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_pool: ClassVar = False
