"""Distillation of predictions with a pull on weights (arXiv:2203.17269)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, Members

from ._points import moved, pull
from ._teacher import Distiller, Teacher


class DistillationAndPull(Distiller):
    """Add alpha times the binary cross entropy of the earlier classes' outputs with what they were,
    and lam (theta - theta*) to the gradient.
    """

    card: ClassVar = MethodCard(
        name="kd-l2",
        title="Distillation with a penalty on weight changes",
        track="continual",
        paper="arXiv:2203.17269",
        bibtex="""@article{smith2022closer,
  title = {A Closer Look at Rehearsal-Free Continual Learning},
  author = {Smith, James Seale and Tian, Junjiao and Halbe, Shaunak and Hsu, Yen-Chang and
            Kira, Zsolt},
  journal = {arXiv preprint},
  year = {2022},
  eprint = {2203.17269},
  archivePrefix = {arXiv}
}""",
        claim="Distilling predictions and holding parameters together does better than either, "
        "without stored rows.",
        deviates="Only the abstract was read: the exact losses are ours.",
        signal="dynamics",
        needs=("task-id",),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (0.01, 0.1, 1.0)},
    )
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the distance of predictions."""
    lam: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the pull."""

    def distil(
        self, state: Teacher, batch: Chunk, logits: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """Return alpha times the sum of binary cross entropies over earlier classes (K, B)."""
        assert state.nets is not None
        # as softmaxes over two outcomes, row by row: one member's bits never depend on others
        said = two_outcomes(state.nets.head(features)).exp()
        apart = -(said * two_outcomes(logits)).sum(3)
        return self.alpha * apart.masked_fill(~state.old(batch.t), 0.0).sum(2)

    def before_step(self, state: Teacher, members: Members, batch: Chunk) -> None:
        """Pull each weight to where the last task left it."""
        if state.nets is not None and self.lam:
            point = [own.detach() for own in state.nets.parameters()]
            pull(members.nets, (self.lam * far for far in moved(members.nets, point)))


def two_outcomes(logits: torch.Tensor) -> torch.Tensor:
    """Return log sigmoid(z) and log sigmoid(-z) of logits (K, B, C), (K, B, C, 2)."""
    return F.log_softmax(torch.stack([logits, torch.zeros_like(logits)], -1), -1)
