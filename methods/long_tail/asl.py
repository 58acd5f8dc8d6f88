"""The asymmetric loss for one label (arXiv:2009.14119)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe


class AsymmetricLoss(Recipe):
    """Focus the label's class and the other classes by powers of their own, on smoothed targets."""

    card: ClassVar = MethodCard(
        name="asl",
        title="Asymmetric loss",
        track="long-tail",
        paper="arXiv:2009.14119",
        bibtex="""@inproceedings{ridnik2021asymmetric,
  title = {Asymmetric Loss for Multi-Label Classification},
  author = {Ridnik, Tal and Ben-Baruch, Emanuel and Zamir, Nadav and Noy, Asaf and Friedman, Itamar
    and Protter, Matan and Zelnik-Manor, Lihi},
  booktitle = {ICCV},
  year = {2021},
  eprint = {2009.14119},
  archivePrefix = {arXiv}
}""",
        claim="Where negatives are many, easy ones should count less than positives do.",
        official_code="ok",
        deviates="The form for one label of the authors' code; the paper is about several labels, "
        "and about no long tail.",
        signal="loss",
        stacked=True,
        defaults_from="paper",
        tuning={"negative": (0.0, 1.0, 2.0, 4.0)},
    )
    positive: Annotated[float, Meta(ge=0)] = 0.0
    """Power of 1 - p at the label's class."""
    negative: Annotated[float, Meta(ge=0)] = 4.0
    """Power of p at the other classes."""
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the target that is spread over all classes."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """-sum_c t_c w_c log p_c; gradients flow through the weights."""
        log_p, classes = logits.log_softmax(-1), logits.shape[-1]
        own = F.one_hot(batch.y, classes).to(logits.dtype)
        p = log_p.exp()
        # away from 0, where a power below 1 has no slope
        focus = torch.where(own > 0, 1 - p, p).clamp_min(1e-12)
        weight = focus ** (self.positive * own + self.negative * (1 - own))
        target = (1 - self.smoothing) * own + self.smoothing / classes
        return -(target * weight * log_p).sum(-1)
