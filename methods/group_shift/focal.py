"""Focal loss (arXiv:1708.02002)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, cross_entropy


class FocalLoss(GroupMethod):
    """Weigh rows down that the net is sure of."""

    card: ClassVar = MethodCard(
        name="focal",
        title="Focal loss",
        track="group-shift",
        paper="arXiv:1708.02002",
        bibtex="""@inproceedings{lin2017focal,
  title = {Focal Loss for Dense Object Detection},
  author = {Lin, Tsung-Yi and Goyal, Priya and Girshick, Ross and He, Kaiming and
    Doll{\\'a}r, Piotr},
  booktitle = {ICCV},
  year = {2017},
  eprint = {1708.02002},
  archivePrefix = {arXiv}
}""",
        claim="Where most rows are easy, a loss that weighs them down trains detectors on the "
        "hard ones.",
        deviates="gamma is 1, as in SubpopBench, instead of 2; no weights of classes.",
        signal="early-errors",
        stacked=True,
        defaults_from="here",
        tuning={"gamma": (0.5, 1.0, 2.0, 5.0)},
    )
    gamma: Annotated[float, Meta(ge=0)] = 1.0
    """Exponent of what the net lacks of certainty."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """(1 - p_y)^gamma CE (equation 4)."""
        losses = cross_entropy(logits, batch.y)
        missing = -torch.expm1(-losses)  # 1 - p_y, without cancellation
        return missing.clamp_min(1e-12) ** self.gamma * losses
