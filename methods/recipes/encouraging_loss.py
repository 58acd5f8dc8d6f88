"""The encouraging loss (arXiv:2110.06537)."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe, cross_entropy


class EncouragingLoss(Recipe):
    """Reward rows that are classified well: -log p + log(1 - p), the second term along its tangent
    where p is above ``turn``.
    """

    card: ClassVar = MethodCard(
        name="encouraging-loss",
        title="Encouraging loss",
        track=("recipes", "long-tail"),
        paper="arXiv:2110.06537",
        bibtex="""@inproceedings{zhao2022well,
  title = {Well-classified Examples are Underestimated in Classification with Deep Neural
    Networks},
  author = {Zhao, Guangxiang and Yang, Wenkai and Ren, Xuancheng and Li, Lei and Wu, Yunfang and
    Sun, Xu},
  booktitle = {AAAI},
  year = {2022},
  eprint = {2110.06537},
  archivePrefix = {arXiv}
}""",
        claim="Cross entropy stops learning from rows it has right; rewarding them gives larger "
        "margins and better representations, also of rare classes.",
        official_code="ok",
        deviates="1 - p is kept above 1e-5, where the logarithm ends.",
        signal="loss",
        stacked=True,
        defaults_from="paper",
        tuning={"turn": (0.5, 0.75, 0.9)},
    )
    turn: Annotated[float, Meta(ge=0, le=1)] = 0.75
    """The probability from which on the reward is linear; 0: it is -p, 1: never."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """-log p_y + log(1 - p_y), equations 7 and 8."""
        lost = cross_entropy(logits, batch.y)
        return lost + bonus((-lost).exp(), self.turn)


def bonus(p: torch.Tensor, turn: float) -> torch.Tensor:
    """Return log(1 - p) up to ``turn`` and its tangent above, of the shape of ``p``, in (-inf,
    0].
    """
    rest = max(1 - turn, 1e-5)
    curved = (1 - p.clamp_max(1 - rest)).log()
    return torch.where(p > 1 - rest, math.log(rest) - (p - (1 - rest)) / rest, curved)
