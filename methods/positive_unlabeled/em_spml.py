"""Unknown labels are unknown: their entropy is raised (arXiv:2203.16219)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.positive_unlabeled import Batch, PositiveUnlabeledMethod

BIBTEX = """@inproceedings{zhou2022acknowledging,
  title = {Acknowledging the Unknown for Multi-label Learning with Single Positive Labels},
  author = {Zhou, Donghao and Chen, Pengfei and Wang, Qiong and Chen, Guangyong and Heng,
    Pheng-Ann},
  booktitle = {ECCV},
  year = {2022},
  eprint = {2203.16219},
  archivePrefix = {arXiv}
}"""


class MaximumEntropy(PositiveUnlabeledMethod):
    """Fit known labels, and keep what is said of the others open."""

    card: ClassVar = MethodCard(
        name="em-spml",
        title="Entropy maximisation for single positive labels",
        track="positive-unlabeled",
        paper="arXiv:2203.16219",
        bibtex=BIBTEX,
        claim="Raising the entropy of unknown labels beats taking them as negative.",
        official_code="ok",
        deviates="The nets and steps are the task's. Losses are computed from logits, without the "
        "authors' constant inside the logarithm.",
        stacked=True,
        defaults_from="paper",
    )
    reads_known: ClassVar = False
    alpha: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the entropy; 0 is known-only."""

    def risk(self, state: Any, batch: Batch, z: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Mean of -s log p - (1 - s) alpha H(p), eq. 4."""
        entropy = F.softplus(z) - z * z.sigmoid()
        return (batch.s * F.softplus(-z) - (1 - batch.s) * self.alpha * entropy).mean(1)
