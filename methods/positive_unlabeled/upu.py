"""The unbiased risk of positive and unlabelled rows (ICML 2015)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.positive_unlabeled import Batch, Members, PositiveUnlabeledMethod, over_known


class UnbiasedRisk(PositiveUnlabeledMethod):
    """Minimise an unbiased estimate of the risk with all labels, which may become negative."""

    card: ClassVar = MethodCard(
        name="upu",
        title="Unbiased risk (uPU)",
        track="positive-unlabeled",
        paper="ICML 2015",
        bibtex="""@inproceedings{duplessis2015convex,
  title = {Convex Formulation for Learning from Positive and Unlabeled Data},
  author = {du Plessis, Marthinus Christoffel and Niu, Gang and Sugiyama, Masashi},
  booktitle = {ICML},
  year = {2015}
}""",
        claim="With the logistic loss the unbiased risk is convex in a linear model.",
        deviates="The nets and steps are the task's; the paper has linear models. Logistic loss, "
        "not the double hinge.",
        needs=("prior",),
        stacked=True,
        defaults_from="paper",
    )

    def start(self, members: Members) -> torch.Tensor:
        """Return the prior (K, L)."""
        return members.prior

    def risk(
        self, state: torch.Tensor, batch: Batch, z: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """E_U softplus(z) - pi E_P z, what pi E_P l+ + E_U l- - pi E_P l- is for this loss."""
        return F.softplus(z).mean(1) - state * over_known(known, batch.s_known)
