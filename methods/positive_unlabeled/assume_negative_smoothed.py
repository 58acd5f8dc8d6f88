"""What is not known is negative, with smoothed labels (arXiv:2106.09708)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.positive_unlabeled import Batch, PositiveUnlabeledMethod, log_loss


class SmoothedNegatives(PositiveUnlabeledMethod):
    """Minimise the log loss with what is not known as negative, but not quite."""

    card: ClassVar = MethodCard(
        name="assume-negative-smoothed",
        title="What is not known is negative, smoothed labels",
        track="positive-unlabeled",
        paper="arXiv:2106.09708",
        bibtex="""@inproceedings{cole2021multi,
  title = {Multi-Label Learning from Single Positive Labels},
  author = {Cole, Elijah and Mac Aodha, Oisin and Lorieul, Titouan and Perona, Pietro and Morris,
    Dan
    and Jojic, Nebojsa},
  booktitle = {CVPR},
  year = {2021},
  eprint = {2106.09708},
  archivePrefix = {arXiv}
}""",
        claim="Smoothed labels are a strong answer to one known positive a row.",
        deviates="The nets and steps are the task's.",
        stacked=True,
        defaults_from="paper",
    )
    reads_known: ClassVar = False
    smoothing: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Share of a label that is given to the other answer, half of it; 0 is unlabeled-negative."""

    def risk(self, state: Any, batch: Batch, z: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Log loss of the targets (1 - eps) s + eps / 2."""
        return log_loss(z, (1 - self.smoothing) * batch.s + self.smoothing / 2).mean(1)
