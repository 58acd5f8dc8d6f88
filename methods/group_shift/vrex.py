"""Risk extrapolation (arXiv:2003.00688)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.group_shift import Batch, cross_entropy, grouped_means

from ._penalised import Penalised, PenaltyState


class RiskExtrapolation(Penalised):
    """Punish the variance of the mean losses of the environments."""

    card: ClassVar = MethodCard(
        name="vrex",
        title="Risk extrapolation (V-REx)",
        track="group-shift",
        paper="arXiv:2003.00688",
        bibtex="""@inproceedings{krueger2021vrex,
  title = {Out-of-Distribution Generalization via Risk Extrapolation (REx)},
  author = {Krueger, David and Caballero, Ethan and Jacobsen, Joern-Henrik and Zhang, Amy and Binas,
    Jonathan and Zhang, Dinghuai and Le Priol, Remi and Courville, Aaron},
  booktitle = {ICML},
  year = {2021},
  eprint = {2003.00688},
  archivePrefix = {arXiv}
}""",
        claim="Equal losses in the training environments carry over to stronger shifts; on digits "
        "in misleading colours it is close to a net that sees no colour.",
        official_code="ok",
        deviates="Batches instead of all rows at once; the variance is the one that divides by the "
        "number of environments. The penalty rises when that of irm does.",
        needs=("env",),
        signal="env",
        stacked=True,
        defaults_from="here",
        tuning={"lam": (10.0, 100.0, 1000.0)},
    )

    def penalty(
        self, state: PenaltyState, batch: Batch, logits: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of the mean losses of the environments that the batch has rows of."""
        env = state.env.gather(1, batch.rows)
        means, counts = grouped_means(cross_entropy(logits, batch.y), env, state.envs)
        found = counts > 0
        present = found.sum(1)
        centre = means.sum(1) / present
        off = torch.where(found, means - centre[:, None], 0.0)
        return centre, off.square().sum(1) / present
