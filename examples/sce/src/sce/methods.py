"""Symmetric cross entropy (arXiv:1908.06112)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, cross_entropy


class SymmetricCrossEntropy(NoisyLabelMethod):
    """Cross entropy of the net's guess under the label, and of the label under the net's guess."""

    card: ClassVar = MethodCard(
        name="sce",
        title="Symmetric cross entropy",
        track="noisy-labels",
        paper="arXiv:1908.06112",
        bibtex="""@inproceedings{wang2019symmetric,
  title = {Symmetric Cross Entropy for Robust Learning with Noisy Labels},
  author = {Wang, Yisen and Ma, Xingjun and Chen, Zaiyi and Luo, Yuan and Yi, Jinfeng and Bailey,
    James},
  booktitle = {ICCV},
  year = {2019},
  eprint = {1908.06112},
  archivePrefix = {arXiv}
}""",
        claim="The reverse term helps to learn hard classes and gives up on wrong labels: above "
        "cross entropy under label noise.",
        deviates="alpha, beta and A (log_zero) are the same for every task; the paper chooses them "
        "for each dataset.",
        stacked=True,
    )
    alpha: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of cross entropy."""
    beta: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of reverse cross entropy."""
    log_zero: Annotated[float, Meta(lt=0)] = -4.0
    """What the paper calls A: it stands for log 0."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Alpha ce + beta rce: ce = -log p_y, and rce = -sum_k p_k log q_k
        = -A (1 - p_y) for a label q that is sure of y.
        """
        ce = cross_entropy(logits, batch.y)
        rce = self.log_zero * torch.expm1(-ce)
        return self.alpha * ce + self.beta * rce
