"""Generalised cross entropy (arXiv:1805.07836)."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, cross_entropy


class GeneralisedCrossEntropy(NoisyLabelMethod):
    """A loss between cross entropy (q -> 0) and absolute error (q = 1):
    steep enough to learn, flat enough to give up on odd labels.
    """

    card: ClassVar = MethodCard(
        name="gce",
        title="Generalised cross entropy",
        track="noisy-labels",
        paper="arXiv:1805.07836",
        bibtex="""@inproceedings{zhang2018generalized,
  title = {Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels},
  author = {Zhang, Zhilu and Sabuncu, Mert R.},
  booktitle = {NeurIPS},
  year = {2018},
  eprint = {1805.07836},
  archivePrefix = {arXiv}
}""",
        claim="As robust as absolute error and as easy to train as cross entropy: above both "
        "under wrong labels.",
        official_code="none",
        deviates="The loss alone; the truncated variant with alternating pruning, which the paper "
        "reports beside it, is not built.",
        stacked=True,
        defaults_from="paper",
        tuning={"q": (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)},
    )
    q: Annotated[float, Meta(gt=0, le=1)] = 0.7
    """Between cross entropy (towards 0) and absolute error (1)."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """(1 - p_y^q) / q, eq. 6; p_y is kept from 1e-7 upwards.

        Written with the logarithm: exact for small q, and ``pow`` on a CPU rounds by where in
        memory a number stands.
        """
        minus_log_p = cross_entropy(logits, batch.y).clamp_max(-math.log(1e-7))
        return -torch.expm1(-self.q * minus_log_p) / self.q
