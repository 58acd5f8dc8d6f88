"""The non-negative risk of positive and unlabelled rows (arXiv:1703.00593)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.positive_unlabeled import Batch, Members, PositiveUnlabeledMethod, over_known


class NonNegativeRisk(PositiveUnlabeledMethod):
    """Minimise the unbiased risk while its negative part is one; climb back where it is not."""

    card: ClassVar = MethodCard(
        name="nnpu",
        title="Non-negative risk (nnPU)",
        track="positive-unlabeled",
        paper="arXiv:1703.00593",
        bibtex="""@inproceedings{kiryo2017positive,
  title = {Positive-Unlabeled Learning with Non-Negative Risk Estimator},
  author = {Kiryo, Ryuichi and Niu, Gang and du Plessis, Marthinus Christoffel and Sugiyama,
    Masashi},
  booktitle = {NeurIPS},
  year = {2017},
  eprint = {1703.00593},
  archivePrefix = {arXiv}
}""",
        claim="Flexible nets overfit the unbiased risk, and not the non-negative one.",
        official_code="ok",
        deviates="The nets and steps are the task's.",
        needs=("prior",),
        stacked=True,
        defaults_from="paper",
    )
    loss: Literal["sigmoid", "logistic"] = "sigmoid"
    """Loss of a score: sigma(-z), or softplus(-z)."""
    beta: Annotated[float, Meta(ge=0)] = 0.0
    """How far below 0 the negative part may be."""
    gamma: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Size of a step back."""

    def start(self, members: Members) -> torch.Tensor:
        """Return the prior (K, L)."""
        return members.prior

    def risk(
        self, state: torch.Tensor, batch: Batch, z: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Pi E_P l+ + r with r = E_U l- - pi E_P l- while r >= -beta, else -gamma r alone (alg.
        1).
        """
        negative = torch.sigmoid if self.loss == "sigmoid" else F.softplus
        positive = state * over_known(negative(-known), batch.s_known)
        rest = negative(z).mean(1) - state * over_known(negative(known), batch.s_known)
        return torch.where(rest >= -self.beta, positive + rest, -self.gamma * rest)
