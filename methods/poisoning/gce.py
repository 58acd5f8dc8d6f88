"""Generalised cross entropy (arXiv:1805.07836)."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.poisoning import Batch, PoisoningMethod, cross_entropy


class GeneralisedCrossEntropy(PoisoningMethod):
    """A loss between cross entropy (q -> 0) and absolute error (q = 1)."""

    card: ClassVar = MethodCard(
        name="gce",
        title="Generalised cross entropy",
        track="poisoning",
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
        deviates="The loss alone, without the truncated variant and its alternating pruning.",
        signal="loss",
        stacked=True,
        defaults_from="paper",
    )
    q: Annotated[float, Meta(ge=1e-6, le=1)] = 0.7
    """Between cross entropy (towards 0) and absolute error (1)."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """(1 - p_y^q) / q (equation 6); p_y is kept from 1e-7 upwards."""
        minus_log_p = cross_entropy(logits, batch.y).clamp_max(-math.log(1e-7))
        return -torch.expm1(-self.q * minus_log_p) / self.q
