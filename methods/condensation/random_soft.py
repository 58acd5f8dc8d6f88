"""Random images with soft labels (arXiv:2406.10485): what labels alone are worth."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.condensation import Problem, SmallSet, real_rows

from ._teacher import LABELS, soft_labels


class RandomSoft(Method):
    """Keep random images, and store with each the class probabilities that nets trained on all
    images give it.
    """

    card: ClassVar = MethodCard(
        name="random-soft",
        title="Random images with soft labels",
        track="condensation",
        paper="arXiv:2406.10485",
        bibtex=LABELS,
        claim="Random images with soft labels of a good teacher come near to distilled sets.",
        deviates="The authors give an image a label for each of many crops, and stop the teacher "
        "early; here an image has one label, of teachers that train to the end. The labels are "
        "stored: they count in stored_kb, not in the budget of images.",
        plain=True,
        defaults_from="here",
        trials=4,
    )
    teachers: Annotated[int, Meta(ge=1, le=100)] = 3
    """Nets whose probabilities are averaged."""
    teacher_epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes of their training."""
    heat: Annotated[float, Meta(gt=0, le=100)] = 2.0
    """Temperature of the labels: it divides the teachers' logits."""

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Return the rows of random selection with the teachers' labels."""
        rows = real_rows(problem, run)
        images = problem.x[rows]
        soft = soft_labels(
            problem,
            run,
            images,
            nets=self.teachers,
            epochs=self.teacher_epochs,
            temperature=self.heat,
        )
        return SmallSet(x=images, y=problem.y[rows], soft_y=soft, indices=rows)
