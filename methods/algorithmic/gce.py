"""Generalised cross entropy (arXiv:1805.07836), on data that a rule makes: a control."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.algorithmic import AlgorithmicMethod, Batch


class GeneralisedCrossEntropy(AlgorithmicMethod):
    """A loss between cross entropy (q -> 0) and absolute error (q = 1), of the outputs' softmax."""

    card: ClassVar = MethodCard(
        name="gce",
        title="Generalised cross entropy",
        track="algorithmic",
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
        deviates="The loss alone, without the truncated variant and its alternating pruning. The "
        "other methods of the track fit outputs to one-hot rows; here they go through a softmax.",
        signal="loss",
        needs=("codes",),
        stacked=True,
        defaults_from="paper",
    )
    q: Annotated[float, Meta(gt=0, le=1)] = 0.7
    """Between cross entropy (towards 0) and absolute error (1)."""

    def loss(self, state: None, batch: Batch, outputs: torch.Tensor) -> torch.Tensor:
        """(1 - p_y^q) / q (equation 6); p_y is kept from 1e-7 upwards."""
        minus_log_p = F.cross_entropy(outputs.movedim(-1, 1), batch.y, reduction="none")
        return -torch.expm1(-self.q * minus_log_p.clamp_max(-math.log(1e-7))) / self.q
