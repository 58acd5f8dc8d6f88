"""The original model, as it is: the null method of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod


class Original(UnlearningMethod):
    """Forget nothing."""

    card: ClassVar = MethodCard(
        name="original",
        title="The original model, unchanged",
        track=("unlearning-privacy", "unlearning-correction", "unlearning-regression"),
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def unlearn(self, group: Group) -> Nets:
        """Return the originals."""
        return group.originals()
