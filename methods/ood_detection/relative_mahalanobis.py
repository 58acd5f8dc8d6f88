"""Relative Mahalanobis distance (arXiv:2106.09022)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod

from ._gaussian import overall, within_classes


class RelativeMahalanobis(ScoreMethod):
    """Score a row by how much closer its features are to a class than to all rows together."""

    card: ClassVar = MethodCard(
        name="relative-mahalanobis",
        title="Relative Mahalanobis distance",
        track="ood-detection",
        paper="arXiv:2106.09022",
        bibtex="""@article{ren2021simple,
  title = {A Simple Fix to {Mahalanobis} Distance for Improving Near-{OOD} Detection},
  author = {Ren, Jie and Fort, Stanislav and Liu, Jeremiah and Roy, Abhijit Guha and Padhy, Shreyas
    and Lakshminarayanan, Balaji},
  journal = {arXiv preprint arXiv:2106.09022},
  year = {2021}
}""",
        claim="It is better than the Mahalanobis distance on near kinds.",
        deviates="Directions in which training features hardly vary are left out. Up to a factor, "
        "the distances are those of the package pytorch-ood 0.4.0.",
        signal="features",
        defaults_from="paper",
    )

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """-(min_c d_c(h) - d_0(h)) (equation 3)."""
        h = problem.trained_features(run)
        own, background = within_classes(h, problem.y, problem.n_classes), overall(h)

        def score(x: torch.Tensor) -> torch.Tensor:
            features = problem.model.features(x)
            return background(features) - own(features)

        return score
