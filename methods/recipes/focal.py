"""The focal loss (arXiv:1708.02002)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe, cross_entropy


class Focal(Recipe):
    """Lower the weight of rows that are classified well: (1 - p_y)^gamma (-log p_y)."""

    card: ClassVar = MethodCard(
        name="focal",
        title="Focal loss",
        track=("recipes", "long-tail"),
        paper="arXiv:1708.02002",
        bibtex="""@inproceedings{lin2017focal,
  title = {Focal Loss for Dense Object Detection},
  author = {Lin, Tsung-Yi and Goyal, Priya and Girshick, Ross and He, Kaiming and Dollar, Piotr},
  booktitle = {ICCV},
  year = {2017},
  eprint = {1708.02002},
  archivePrefix = {arXiv}
}""",
        claim="Where easy rows are many, turning to the hard ones finds rare classes better.",
        official_code="ok",
        deviates="The softmax form, without class weights; gamma is 1, as in later code for long "
        "tails, instead of 2.",
        signal="loss",
        stacked=True,
        defaults_from="paper",
        tuning={"gamma": (0.5, 1.0, 2.0, 5.0)},
    )
    settings: ClassVar = {"detection": {"gamma": 2.0}}
    gamma: Annotated[float, Meta(ge=0)] = 1.0
    """How much less a row counts that is classified well; 0 is cross entropy."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """(1 - p_y)^gamma (-log p_y), equation 4."""
        lost = cross_entropy(logits, batch.y)
        if not self.gamma:
            return lost
        # away from 0, where the power has no slope
        return (1 - (-lost).exp()).clamp_min(1e-7) ** self.gamma * lost
