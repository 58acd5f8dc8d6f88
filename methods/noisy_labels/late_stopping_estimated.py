"""Late stopping (arXiv:2308.13862), told an estimate of the noise rate."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard, Run
from bench.tracks.noisy_labels import Problem, Solution

from ._estimated import with_estimated_rate
from .late_stopping import LateStopping


class LateStoppingEstimated(LateStopping):
    """Late stopping that drops as many rows as confident learning holds wrong."""

    card: ClassVar = MethodCard(
        name="late-stopping-estimated",
        title="Late stopping with an estimated noise rate",
        track="noisy-labels",
        paper="arXiv:2308.13862",
        bibtex="""@inproceedings{yuan2023late,
  title = {Late Stopping: Avoiding Confidently Learning from Mislabeled Examples},
  author = {Yuan, Suqin and Feng, Lei and Liu, Tongliang},
  booktitle = {ICCV},
  year = {2023},
  eprint = {2308.13862},
  archivePrefix = {arXiv}
}""",
        claim="Keeping what is learned first, over many rounds, leaves few wrong labels without "
        "losing hard right ones, and beats selection by small losses.",
        official_code="ok",
        deviates="As late-stopping, but for the rate: the confident joint (arXiv:1911.00068) of "
        "the given labels and of trees that did not see the row, where the authors tune the "
        "shrink factor for each dataset and rate.",
        libraries=("sklearn",),
        defaults_from="here",
        trials=None,
        tuning={"pace": (0.25, 0.5, 1.0), "cap": (1 / 3, 2 / 3, 1.0)},
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Estimate the rate, then shrink the set and train on what is left."""
        return super().solve(with_estimated_rate(problem, run), run)
