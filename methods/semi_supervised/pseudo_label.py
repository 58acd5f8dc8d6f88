"""Pseudo-labels of confident rows (ICML workshop 2013)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy


class PseudoLabel(SemiSupervisedMethod):
    """Take what the net is sure of as a label, more and more."""

    card: ClassVar = MethodCard(
        name="pseudo-label",
        title="Pseudo-labels",
        track="semi-supervised",
        paper="ICML workshop 2013",
        bibtex="""@inproceedings{lee2013pseudo,
  title = {Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural
    Networks},
  author = {Lee, Dong-Hyun},
  booktitle = {ICML Workshop: Challenges in Representation Learning},
  year = {2013},
}""",
        claim="Training on the net's own confident answers lowers the error of few labels.",
        deviates="Only rows above a cutoff count, as in the library of Microsoft, with the same "
        "ramp over the first .4 of the steps; no pretraining and no dropout.",
        stacked=True,
        defaults_from="paper",
    )
    cutoff: Annotated[float, Meta(ge=0)] = 0.95
    """Least probability of a pseudo-label; above 1: sup."""
    ramp: Annotated[float, Meta(gt=0, le=1)] = 0.4
    """Share of the steps over which the weight grows to 1."""

    def loss(self, state: Any, members: Members, batch: Batch) -> torch.Tensor:
        """H(y, f(weak x)) + min(1, t / .4 T) mean 1[max p >= cutoff] H(argmax p, f(weak u))."""
        size = batch.x.shape[1]
        both = torch.cat([members.weak(batch.x, "labelled"), members.weak(batch.u, "pool")], 1)
        logits = members.nets(both)
        members.count(forward=logits.shape[1], backward=logits.shape[1])
        own, pool = logits[:, :size], logits[:, size:]
        sure, guess = pool.detach().softmax(-1).max(-1)
        counts = (sure >= self.cutoff).to(own.dtype)
        members.note(batch, counts)
        term = (counts * soft_cross_entropy(pool, guess)).mean(1)
        return soft_cross_entropy(own, batch.y).mean(1) + min(1.0, batch.done / self.ramp) * term
