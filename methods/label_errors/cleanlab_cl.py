"""Confident learning (arXiv:1911.00068), as cleanlab implements it."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from bench import MethodCard, Run
from bench.tracks.label_errors import Problem, Solution

from ._oof import OutOfFoldDetector


class CleanlabConfidentLearning(OutOfFoldDetector):
    """Flags by the confident joint of given and estimated labels,
    suspicion by the probability of the given label.
    """

    card: ClassVar = MethodCard(
        name="cleanlab-cl",
        title="Confident learning (cleanlab)",
        track="label-errors",
        paper="arXiv:1911.00068",
        bibtex="""@article{northcutt2021confident,
  title = {Confident Learning: Estimating Uncertainty in Dataset Labels},
  author = {Northcutt, Curtis G. and Jiang, Lu and Chuang, Isaac L.},
  journal = {Journal of Artificial Intelligence Research},
  volume = {70},
  pages = {1373--1411},
  year = {2021},
  eprint = {1911.00068},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Nothing known: the authors' library is called. The probabilities are the track's "
        "out-of-fold ones.",
        signal="oof",
        libraries=("cleanlab", "sklearn"),
        defaults_from="paper",
    )
    filter_by: Literal[
        "prune_by_noise_rate",
        "prune_by_class",
        "both",
        "confident_learning",
        "predicted_neq_given",
        "low_normalized_margin",
        "low_self_confidence",
    ] = "prune_by_noise_rate"
    """Which rows are flagged, in cleanlab's words."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Call cleanlab on the out-of-fold probabilities."""
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

        labels, probabilities = (
            problem.y.cpu().numpy(),
            self.probabilities(problem, run).cpu().numpy(),
        )
        flags = find_label_issues(labels, probabilities, filter_by=self.filter_by, n_jobs=1)
        quality = get_label_quality_scores(labels, probabilities, method="self_confidence")
        return Solution(suspicion=torch.from_numpy(1 - quality), flags=torch.from_numpy(flags))
