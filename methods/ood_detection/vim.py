"""Virtual-logit matching (arXiv:2203.10807)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod


class VirtualLogit(ScoreMethod):
    """Score a row by its energy less how far its features are from the space of training features,
    scaled like a logit.
    """

    card: ClassVar = MethodCard(
        name="vim",
        title="Virtual-logit matching (ViM)",
        track="ood-detection",
        paper="arXiv:2203.10807",
        bibtex="""@inproceedings{wang2022vim,
  title = {{ViM}: Out-of-Distribution with Virtual-Logit Matching},
  author = {Wang, Haoqi and Li, Zhizhong and Feng, Litong and Zhang, Wayne},
  booktitle = {CVPR},
  year = {2022},
  eprint = {2203.10807},
  archivePrefix = {arXiv}
}""",
        claim="Residuals of features and logits together detect better than either.",
        deviates="64 directions stay, of 128 or 256 features; the paper keeps 1,000 of 2,048. The "
        "score agrees with that of the package pytorch-ood 0.4.0.",
        signal="features",
        defaults_from="here",
    )
    dims: Annotated[int, Meta(ge=0)] = 64
    """Directions of the space of training features; of as many or fewer features, all."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Log sum_c exp f_c - alpha ||R (h - o)||: R projects on the complement of the main
        directions, o = -W^+ b (equations 3, 4 and 6, as the logarithm of its odds).
        """
        net = problem.model
        weight, bias = net.head_weight.double(), net.head_bias.double()
        origin = -torch.linalg.pinv(weight) @ bias
        h = problem.trained_features(run)
        centred = h.double() - origin
        _, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        rest = vectors[:, : max(0, vectors.shape[1] - self.dims)]
        residual = (centred @ rest).norm(dim=1).mean()
        alpha = net.head(h).double().amax(1).mean() / residual.clamp_min(1e-12)

        def score(x: torch.Tensor) -> torch.Tensor:
            features = net.features(x)
            away = ((features.double() - origin) @ rest).norm(dim=1)
            return net.head(features).double().logsumexp(1) - alpha * away

        return score
