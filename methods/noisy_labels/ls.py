"""Label smoothing (arXiv:1512.00567, section 7)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod


class LabelSmoothing(NoisyLabelMethod):
    """Move a share of the target from the given label to all classes alike."""

    card: ClassVar = MethodCard(
        name="ls",
        title="Label smoothing",
        track="noisy-labels",
        paper="arXiv:1512.00567",
        bibtex="""@inproceedings{szegedy2016rethinking,
  title = {Rethinking the Inception Architecture for Computer Vision},
  author = {Szegedy, Christian and Vanhoucke, Vincent and Ioffe, Sergey and Shlens, Jon and Wojna,
    Zbigniew},
  booktitle = {CVPR},
  year = {2016},
  eprint = {1512.00567},
  archivePrefix = {arXiv}
}""",
        claim="Smoothed targets keep a net from being too sure and generalise better; made for "
        "right labels, and no claim about wrong ones.",
        official_code="none",
        stacked=True,
        defaults_from="paper",
        tuning={"smoothing": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)},
    )
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the target spread over all classes."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """(1 - a) (-log p_y) + a mean_c (-log p_c)."""
        log_p = logits.log_softmax(-1)
        given = -log_p.gather(-1, batch.y[..., None])[..., 0]
        return (1 - self.smoothing) * given - self.smoothing * log_p.mean(-1)
