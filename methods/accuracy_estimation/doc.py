"""Difference of confidences (arXiv:2107.03315)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.accuracy_estimation import Problem, Solution, probabilities


class DifferenceOfConfidences(Method):
    """Say that accuracy falls by as much as confidence does."""

    card: ClassVar = MethodCard(
        name="doc",
        title="Difference of confidences",
        track="accuracy-estimation",
        paper="arXiv:2107.03315",
        bibtex="""@inproceedings{guillory2021predicting,
  title = {Predicting with Confidence on Unseen Distributions},
  author = {Guillory, Devin and Shankar, Vaishaal and Ebrahimi, Sayna and Darrell, Trevor and
    Schmidt, Ludwig},
  booktitle = {International Conference on Computer Vision},
  year = {2021},
  eprint = {2107.03315},
  archivePrefix = {arXiv}
}""",
        claim="The difference of mean confidences predicts the change of accuracy better than "
        "distances of features.",
        deviates="the difference is taken as it is, without a regression of accuracy on it over "
        "shifted sets with labels, which no method has here; formula checked against get_doc of "
        "saurabhgarg1996/ATC_code",
        signal="held-out",
        defaults_from="paper",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return acc_val - (mean max p_val - mean max p), calibrated."""
        val, sets = probabilities(problem, calibrate=True)
        means = torch.stack([p.max(1).values.mean() for p in sets])
        found = problem.source_accuracy - 100 * (val.max(1).values.mean() - means)
        return Solution(accuracy=found.clamp(0, 100))
