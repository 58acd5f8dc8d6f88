"""The risk of positive and unlabelled rows with an absolute value (arXiv:2002.10261)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.positive_unlabeled import Batch, Members, PositiveUnlabeledMethod, over_known


class AbsoluteRisk(PositiveUnlabeledMethod):
    """Minimise the unbiased risk with the absolute value of its negative part."""

    card: ClassVar = MethodCard(
        name="abs-pu",
        title="Absolute risk (abs-PU)",
        track="positive-unlabeled",
        paper="arXiv:2002.10261",
        bibtex="""@inproceedings{hammoudeh2020learning,
  title = {Learning from Positive and Unlabeled Data with Arbitrary Positive Shift},
  author = {Hammoudeh, Zayd and Lowd, Daniel},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2002.10261},
  archivePrefix = {arXiv}
}""",
        claim="The absolute value does what the non-negative risk does, without its second kind of "
        "step.",
        deviates="The nets and steps are the task's, and positives do not shift.",
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
        """Pi E_P l+ + |E_U l- - pi E_P l-|, with the sigmoid loss."""
        positive = state * over_known(torch.sigmoid(-known), batch.s_known)
        rest = z.sigmoid().mean(1) - state * over_known(known.sigmoid(), batch.s_known)
        return positive + rest.abs()
