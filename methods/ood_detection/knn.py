"""Distance to the nearest training features (arXiv:2204.06507)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch.nn import functional as F

from bench import Meta, MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod

from ._neighbours import enough, kth


class NearestFeatures(ScoreMethod):
    """Score a row by how close its features, at length 1, are to those of its k-th neighbour."""

    card: ClassVar = MethodCard(
        name="knn",
        title="k-th nearest training features",
        track=("ood-detection", "selective-prediction"),
        paper="arXiv:2204.06507",
        bibtex="""@inproceedings{sun2022knn,
  title = {Out-of-Distribution Detection with Deep Nearest Neighbors},
  author = {Sun, Yiyou and Ming, Yifei and Zhu, Xiaojin and Li, Yixuan},
  booktitle = {ICML},
  year = {2022},
  eprint = {2204.06507},
  archivePrefix = {arXiv}
}""",
        claim="The distance to near neighbours detects without assuming a shape of the classes.",
        deviates="k is 10, since there are few training rows. The formula agrees with that of the "
        "package pytorch-ood 0.4.0.",
        signal="features",
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=1)] = 10
    """Which neighbour."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """-||z - z_(k)|| with z = h / ||h|| (equation 3)."""
        enough(self.k, len(problem.x))
        known = F.normalize(problem.trained_features(run))
        return lambda x: -kth(F.normalize(problem.model.features(x)), known, self.k)
