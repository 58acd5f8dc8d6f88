"""ReAct: clipped features (arXiv:2111.12797)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from bench import Meta, MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod


class ReAct(ScoreMethod):
    """Score a row by the energy of its logits after large features are cut off."""

    card: ClassVar = MethodCard(
        name="react",
        title="Rectified activations (ReAct)",
        track="ood-detection",
        paper="arXiv:2111.12797",
        bibtex="""@inproceedings{sun2021react,
  title = {{ReAct}: Out-of-distribution Detection With Rectified Activations},
  author = {Sun, Yiyou and Guo, Chuan and Li, Yixuan},
  booktitle = {NeurIPS},
  year = {2021},
  eprint = {2111.12797},
  archivePrefix = {arXiv}
}""",
        claim="Cutting off large features lowers the confidence in rows out of the distribution.",
        deviates="The formula agrees with that of the package pytorch-ood 0.4.0.",
        signal="features",
        defaults_from="paper",
    )
    quantile: Annotated[float, Meta(gt=0, le=1)] = 0.9
    """Of all features of all training rows, where they are cut off."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Log sum_c exp f_c of min(h, edge) (equation 1)."""
        h = problem.trained_features(run)
        edge = float(np.quantile(h.cpu().numpy(), self.quantile))
        net = problem.model
        return lambda x: net.head(net.features(x).clamp(max=edge)).logsumexp(1)
