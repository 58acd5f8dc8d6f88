"""Known labels weighed by one propensity (arXiv:1809.03207)."""

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

BIBTEX = """@inproceedings{bekker2019beyond,
  title = {Beyond the Selected Completely At Random Assumption for Learning from Positive and
    Unlabeled Data},
  author = {Bekker, Jessa and Robberechts, Pieter and Davis, Jesse},
  booktitle = {ECML PKDD},
  year = {2019},
  eprint = {1809.03207},
  archivePrefix = {arXiv}
}"""


class ConstantPropensity(PositiveUnlabeledMethod):
    """Count each known row as 1 / c positive and 1 - 1 / c negative ones, c the share of positives
    that are known.
    """

    card: ClassVar = MethodCard(
        name="scar-c",
        title="One propensity for all rows (SCAR)",
        track="positive-unlabeled",
        paper="arXiv:1809.03207",
        bibtex=BIBTEX,
        claim="Right where positives are labelled at random; biased where labelling depends on "
        "the row.",
        official_code="ok",
        deviates="The nets and steps are the task's; the authors fit logistic regressions. c is "
        "told through the prior.",
        needs=("prior",),
        stacked=True,
        defaults_from="paper",
    )
    reads_known: ClassVar = False

    def start(self, members: Members) -> torch.Tensor:
        """Return 1 / c, (K, L): the prior over the share of known rows."""
        single_sample(members.problem, "scar-c")
        return members.prior / members.share.clamp_min(1 / members.n_rows)

    def risk(
        self, state: torch.Tensor, batch: Batch, z: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """E s [l+ / c + (1 - 1 / c) l-] + (1 - s) l-; linear in z where s = 1 (eq. 3)."""
        weight = state[:, None]
        marked = weight * F.softplus(-z) + (1 - weight) * F.softplus(z)
        return (batch.s * marked + (1 - batch.s) * log_loss(z, batch.s)).mean(1)
