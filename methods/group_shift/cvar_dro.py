"""Conditional value at risk as the objective (arXiv:2010.05893)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, cross_entropy


def worst_mean(losses: torch.Tensor, share: float) -> torch.Tensor:
    """Return the mean over the ``share`` in (0, 1] of largest losses (K, B), (K, 1): a row at the
    limit counts for the part of it that is within.
    """
    count = share * losses.shape[1]
    place = torch.arange(losses.shape[1], device=losses.device)
    weight = (count - place).clamp(0, 1) / count
    return (losses.sort(1, descending=True).values * weight).sum(1, keepdim=True)


class ConditionalValueAtRisk(GroupMethod):
    """Train on the worst tenth of each batch."""

    card: ClassVar = MethodCard(
        name="cvar-dro",
        title="Conditional value at risk (CVaR)",
        track="group-shift",
        paper="arXiv:2010.05893",
        bibtex="""@inproceedings{levy2020large,
  title = {Large-Scale Methods for Distributionally Robust Optimization},
  author = {Levy, Daniel and Carmon, Yair and Duchi, John C. and Sidford, Aaron},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2010.05893},
  archivePrefix = {arXiv}
}""",
        claim="The worst share of the rows can be minimised by plain gradients on batches, at a "
        "cost that does not depend on the number of rows or of parameters.",
        deviates="AdamW and batch of the task. The share is that of SubpopBench.",
        signal="early-errors",
        stacked=True,
        defaults_from="here",
        tuning={"share": (0.1, 0.2, 0.5)},
    )
    share: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """Share of a batch that counts (alpha)."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Mean of the largest losses of the batch (equation 2), (K, 1)."""
        return worst_mean(cross_entropy(logits, batch.y), self.share)
