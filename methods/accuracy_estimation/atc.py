"""Average thresholded confidence (arXiv:2201.04234)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from bench import Method, MethodCard, Run
from bench.tracks.accuracy_estimation import Problem, Solution, agreement, probabilities
from bench.tracks.accuracy_estimation_adapted import entropy


class ThresholdedConfidence(Method):
    """Count the target rows above a threshold that as many validation rows pass as are right."""

    card: ClassVar = MethodCard(
        name="atc",
        title="Average thresholded confidence",
        track="accuracy-estimation",
        paper="arXiv:2201.04234",
        bibtex="""@inproceedings{garg2022leveraging,
  title = {Leveraging Unlabeled Data to Predict Out-of-Distribution Performance},
  author = {Garg, Saurabh and Balakrishnan, Sivaraman and Lipton, Zachary C. and Neyshabur, Behnam
    and Sedghi, Hanie},
  booktitle = {International Conference on Learning Representations},
  year = {2022},
  eprint = {2201.04234},
  archivePrefix = {arXiv}
}""",
        claim="The share of target rows above a threshold of confidence that is learned on source "
        "rows estimates accuracy two to four times better than what was there before.",
        official_code="ok",
        deviates="as in the paper as many validation rows lie below the threshold as are wrong; "
        "the authors' code (saurabhgarg1996/ATC_code, ATC_helper.py), which was read beside the "
        "paper's formula, takes the next lower score, one row more",
        signal="held-out",
        defaults_from="paper",
    )
    settings: ClassVar = {"ne": {"score": "ne"}}
    score: Literal["mc", "ne"] = "mc"
    """``mc``: the largest probability; ``ne``: the negative entropy."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return the share of scores at or above the threshold, calibrated."""
        val, sets = probabilities(problem, calibrate=True)
        wrong = problem.logits_val.argmax(1) != problem.y_val
        limit = threshold(self.scores(val), int(wrong.sum()))
        found = [agreement(self.scores(p) >= limit, torch.ones(len(p)).to(p) > 0) for p in sets]
        return Solution(accuracy=torch.tensor(found, dtype=torch.float64))

    def scores(self, p: torch.Tensor) -> torch.Tensor:
        """Return a score a row (n,), higher where the net is surer."""
        return p.max(1).values if self.score == "mc" else -entropy(p)


def threshold(scores: torch.Tensor, below: int) -> float:
    """Return the score (n,) that so many others are below, but for ties; infinity if all are."""
    ordered = scores.sort().values
    return float(ordered[below]) if below < len(ordered) else float("inf")
