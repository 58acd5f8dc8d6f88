"""Distribution matching with soft labels (arXiv:2406.10485)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from bench import Meta, MethodCard, Run
from bench.tracks.condensation import Problem, SmallSet

from ._teacher import LABELS, soft_labels
from .dm import DistributionMatching


class DistributionMatchingSoft(DistributionMatching):
    """The images of distribution matching, each with the class probabilities that nets trained on
    all real images give it.
    """

    card: ClassVar = MethodCard(
        name="dm-soft",
        title="Distribution matching with soft labels",
        track="condensation",
        paper="arXiv:2406.10485",
        bibtex=LABELS,
        claim="Soft labels, and not the way the images are made, carry most of what distilled sets "
        "are worth.",
        deviates="The images are those of dm. An image has one label, of teachers that train to "
        "the end, where the authors give it one for each of many crops and stop the teacher early. "
        "The labels are stored: they count in stored_kb, not in the budget of images.",
        defaults_from="here",
        trials=4,
        tuning={"heat": (1.0, 2.0, 4.0, 8.0), "lr_img": (1.0, 3.0)},
    )
    settings: ClassVar = {}
    teachers: Annotated[int, Meta(ge=1, le=100)] = 3
    """Nets whose probabilities are averaged."""
    teacher_epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes of their training."""
    heat: Annotated[float, Meta(gt=0, le=100)] = 2.0
    """Temperature of the labels: it divides the teachers' logits."""

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Return the set of dm with the teachers' labels."""
        small = super().solve(problem, run)
        soft = soft_labels(
            problem,
            run,
            small.x,
            nets=self.teachers,
            epochs=self.teacher_epochs,
            temperature=self.heat,
        )
        return msgspec.structs.replace(small, soft_y=soft)
