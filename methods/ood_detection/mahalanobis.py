"""Mahalanobis distance of the features (arXiv:1807.03888)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod

from ._gaussian import within_classes


class Mahalanobis(ScoreMethod):
    """Score a row by how close its features are to the mean of a class."""

    card: ClassVar = MethodCard(
        name="mahalanobis",
        title="Mahalanobis distance of features",
        track="ood-detection",
        paper="arXiv:1807.03888",
        bibtex="""@inproceedings{lee2018simple,
  title = {A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
    Attacks},
  author = {Lee, Kimin and Lee, Kibok and Lee, Honglak and Shin, Jinwoo},
  booktitle = {NeurIPS},
  year = {2018},
  eprint = {1807.03888},
  archivePrefix = {arXiv}
}""",
        claim="Features tell rows out of the distribution better than probabilities do.",
        deviates="The last features alone, without the step on the input and without the "
        "weights of layers, which the paper fits on rows out of the distribution. Directions in "
        "which training features hardly vary are left out. Up to a factor, the distance is that "
        "of the package pytorch-ood 0.4.0.",
        signal="features",
        defaults_from="paper",
    )

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """-min_c (h - mu_c)^T S^-1 (h - mu_c) (equation 2)."""
        h = problem.trained_features(run)
        distance = within_classes(h, problem.y, problem.n_classes)
        return lambda x: -distance(problem.model.features(x))
