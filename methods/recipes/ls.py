"""Label smoothing (arXiv:1512.00567, section 7)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe, cross_entropy


class LabelSmoothing(Recipe):
    """Move a share of the target from the label to all classes alike."""

    card: ClassVar = MethodCard(
        name="ls",
        title="Label smoothing",
        track=("recipes", "long-tail"),
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
        claim="Smoothed targets keep a net from being too sure, and it generalises better.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"smoothing": (0.05, 0.1, 0.2, 0.3)},
    )
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share a of the target that is spread over all classes."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """(1 - a) (-log p_y) + a mean_c (-log p_c)."""
        given = cross_entropy(logits, batch.y)
        if not self.smoothing:
            return given
        uniform = -logits.log_softmax(-1).mean(-1)
        return (1 - self.smoothing) * given + self.smoothing * uniform
