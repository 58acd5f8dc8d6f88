"""Agreement of two nets (arXiv:2106.13799)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.accuracy_estimation import Problem, Solution, agreement
from bench.training.fixed_net import outputs


class Disagreement(Method):
    """Say that a net is right as often as another net of the same recipe agrees with it."""

    card: ClassVar = MethodCard(
        name="gde",
        title="Agreement of two nets",
        track="accuracy-estimation",
        paper="arXiv:2106.13799",
        bibtex="""@inproceedings{jiang2022assessing,
  title = {Assessing Generalization of {SGD} via Disagreement},
  author = {Jiang, Yiding and Nagarajan, Vaishnavh and Baek, Christina and Kolter, J. Zico},
  booktitle = {International Conference on Learning Representations},
  year = {2022},
  eprint = {2106.13799},
  archivePrefix = {arXiv}
}""",
        claim="Two runs of stochastic gradient descent disagree on rows without labels as often as "
        "one of them errs.",
        signal="held-out",
        needs=("second-model",),
        defaults_from="paper",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return how often the likeliest classes are the same."""
        other = problem.second_model
        assert other is not None, "the card needs second-model"
        found = []
        for logits, x in zip(problem.logits, problem.targets, strict=True):
            run.count(forward=len(x))
            found.append(agreement(logits.argmax(1), outputs(other, x).argmax(1)))
        return Solution(accuracy=torch.tensor(found, dtype=torch.float64))
