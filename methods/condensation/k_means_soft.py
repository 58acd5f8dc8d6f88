"""Centres of k-means with soft labels (arXiv:2406.10485): what labels add to images that no net
made.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from bench import Meta, MethodCard, Run
from bench.tracks.condensation import Problem

from ..selection.k_means import KMeans
from ._teacher import LABELS, soft_labels


class KMeansSoft(KMeans):
    """The centres of k-means in pixels, each with the class probabilities that nets trained on all
    real images give it.
    """

    card: ClassVar = MethodCard(
        name="k-means-soft",
        title="Centres of k-means with soft labels",
        track="condensation",
        paper="arXiv:2406.10485",
        bibtex=LABELS,
        claim="Soft labels lift any images; no claim about centres of k-means.",
        deviates="The images are those of k-means. An image has one label, of teachers that train "
        "to the end, where the authors give it one for each of many crops and stop the teacher "
        "early. The labels are stored: they count in stored_kb, not in the budget of images.",
        plain=True,
        defaults_from="here",
        trials=0,
    )
    teachers: Annotated[int, Meta(ge=1, le=100)] = 3
    """Nets whose probabilities are averaged."""
    teacher_epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes of their training."""
    heat: Annotated[float, Meta(gt=0, le=100)] = 2.0
    """Temperature of the labels: it divides the teachers' logits."""

    def solve(self, problem: Problem, run: Run) -> Any:
        """Return the set of k-means with the teachers' labels."""
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
