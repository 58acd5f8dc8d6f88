"""Known labels weighed by their propensities (arXiv:1809.03207)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.positive_unlabeled import (
    Batch,
    Members,
    PositiveUnlabeledMethod,
    log_loss,
    single_sample,
)
from bench.training.rows import beside

BIBTEX = """@inproceedings{bekker2019beyond,
  title = {Beyond the Selected Completely At Random Assumption for Learning from Positive and
    Unlabeled Data},
  author = {Bekker, Jessa and Robberechts, Pieter and Davis, Jesse},
  booktitle = {ECML PKDD},
  year = {2019},
  eprint = {1809.03207},
  archivePrefix = {arXiv}
}"""


class KnownPropensity(PositiveUnlabeledMethod):
    """Count each known row as 1 / e positive and 1 - 1 / e negative ones, e its propensity."""

    card: ClassVar = MethodCard(
        name="sar-e",
        title="Propensities, told (SAR)",
        track="positive-unlabeled",
        paper="arXiv:1809.03207",
        bibtex=BIBTEX,
        claim="With the propensities the weighed risk is unbiased however rows are labelled.",
        official_code="ok",
        deviates="The nets and steps are the task's; the authors fit logistic regressions.",
        needs=("propensity",),
        stacked=True,
        defaults_from="paper",
    )
    reads_known: ClassVar = False

    def start(self, members: Members) -> torch.Tensor:
        """Return 1 / e, (K, N, L)."""
        single_sample(members.problem, "sar-e")
        return 1 / members.propensity

    def risk(
        self, state: torch.Tensor, batch: Batch, z: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """E s [l+ / e + (1 - 1 / e) l-] + (1 - s) l- (eq. 3)."""
        weight = beside(state, batch.rows)
        marked = weight * F.softplus(-z) + (1 - weight) * F.softplus(z)
        return (batch.s * marked + (1 - batch.s) * log_loss(z, batch.s)).mean(1)
