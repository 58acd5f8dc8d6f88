"""Black box shift estimation (arXiv:1802.03916) on bins of numbers."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, numbers_of


class BinnedShift(Method):
    """Cut numbers into bins of equal count, and take them for classes."""

    card: ClassVar = MethodCard(
        name="bbse-bins",
        title="Black box shift estimation on bins",
        track="target-shift",
        paper="arXiv:1802.03916",
        bibtex="""@inproceedings{lipton2018detecting,
  title = {Detecting and Correcting for Label Shift with Black Box Predictors},
  author = {Lipton, Zachary C. and Wang, Yu-Xiang and Smola, Alexander J.},
  booktitle = {International Conference on Machine Learning},
  year = {2018},
  eprint = {1802.03916},
  archivePrefix = {arXiv}
}""",
        claim="The confusion matrix of any predictor on source rows and its answers in the target "
        "give the weights of classes, consistently, where the matrix is invertible.",
        deviates="the paper is about classes; bins, the linear predictor, and the cut of small "
        "singular values are ours",
        signal="features",
        needs=("numbers",),
        defaults_from="here",
    )
    bins: Annotated[int, Meta(ge=2, le=100)] = 10
    """Bins of equal count."""
    cutoff: Annotated[float, Meta(ge=0, lt=1)] = 0.05
    """Singular values below this share of the largest count as 0."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Predict numbers by least squares, count bins, and solve M w = mu."""
        numbers = numbers_of(problem)
        x, x_target = (
            F.pad(part.double(), (1, 0), value=1.0) for part in (numbers.x, numbers.x_target)
        )
        y = numbers.y.double()
        slope = torch.linalg.pinv(x) @ y
        inner = torch.linspace(0, 1, self.bins + 1).to(y)[1:-1]
        edges = y.quantile(inner)

        def binned(values: torch.Tensor) -> torch.Tensor:
            return F.one_hot(torch.bucketize(values, edges), self.bins).double()

        own = binned(y)
        joint = binned(x @ slope).T @ own / len(y)
        target = binned(x_target @ slope).mean(0)
        weights = torch.linalg.pinv(joint, rtol=self.cutoff) @ target
        return Solution(weights=own @ weights.clamp_min(0))
