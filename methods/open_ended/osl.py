"""Open-ended supervised learning (arXiv:2108.12113)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.open_ended import OpenEndedMethod


class SubjectiveLearning(OpenEndedMethod):
    """Give each batch as a whole to the predictor that fits it best."""

    card: ClassVar = MethodCard(
        name="osl",
        title="Open-ended supervised learning",
        track="open-ended",
        paper="arXiv:2108.12113",
        bibtex="""@article{zhang2021subjective,
  title = {Subjective Learning for Open-Ended Data},
  author = {Zhang, Tianren and Jiang, Yizhou and Su, Xin and Guo, Shangqi and Chen, Feng},
  journal = {arXiv preprint},
  year = {2021},
  eprint = {2108.12113},
  archivePrefix = {arXiv}
}""",
        claim="A function that allocates batches among several models by their errors resolves "
        "data that conflict, without labels of the domains.",
        deviates="Only the abstract was read: the allocation is the hard minimum of the mean "
        "squared error of a batch, at every update; any schedule of the paper is left out.",
        signal="loss",
        stacked=True,
        defaults_from="here",
    )

    def shares(self, losses: torch.Tensor, progress: float) -> torch.Tensor:
        """Return 1 for the net of the least mean error of the batch, 0 for the others."""
        best = losses.mean(3, keepdim=True).argmin(0, keepdim=True)
        chosen = torch.zeros_like(losses[..., :1]).scatter_(0, best, 1.0)
        return chosen.expand_as(losses)
