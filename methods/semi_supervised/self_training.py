"""Self-training of a linear classifier (arXiv:2310.00027)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.semi_supervised import Problem, Solution

from ._self_training import trained
from ._symmetric import solutions


class SelfTraining(Method):
    """Minimise the logistic loss of labelled rows, and of the pool under the better label."""

    card: ClassVar = MethodCard(
        name="self-training",
        title="Self-training of a linear classifier",
        track="semi-supervised",
        paper="arXiv:2310.00027",
        bibtex="""@article{saberi2024out,
  title = {Out-Of-Domain Unlabeled Data Improves Generalization},
  author = {Saberi, Amir Hossein and Najafi, Amir and Heidari, Alireza and Movasaghinia, Mohammad
    Hosein and Motahari, Abolfazl and Khalaj, Babak H.},
  journal = {ICLR},
  year = {2024},
  eprint = {2310.00027},
  archivePrefix = {arXiv}
}""",
        claim="What the robust classifier is compared with.",
        deviates="The paper states no algorithm in its abstract, which is all that was read; the "
        "worst row is found to first order, and the pool takes the better label.",
        needs=("symmetric",),
        stacked=True,
        defaults_from="here",
    )
    weight: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the pool."""
    steps: Annotated[int, Meta(ge=1)] = 300
    """Steps of Adam, from the mean of the labelled rows on."""
    lr: Annotated[float, Meta(gt=0)] = 0.02
    """Of Adam."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on several problems at once."""
        return solutions(
            trained(
                problems,
                runs,
                self.card.name,
                gamma=math.inf,
                weight=self.weight,
                steps=self.steps,
                lr=self.lr,
            ),
            problems,
        )
