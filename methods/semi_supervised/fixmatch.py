"""Hard pseudo-labels of weak views for strong ones (arXiv:2001.07685)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy


class FixMatch(SemiSupervisedMethod):
    """Ask of a strong view the label that the net is sure of on a weak one."""

    card: ClassVar = MethodCard(
        name="fixmatch",
        title="FixMatch",
        track="semi-supervised",
        paper="arXiv:2001.07685",
        bibtex="""@inproceedings{sohn2020fixmatch,
  title = {FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence},
  author = {Sohn, Kihyuk and Berthelot, David and Li, Chun-Liang and Zhang, Zizhao and Carlini,
    Nicholas
    and Cubuk, Ekin D. and Kurakin, Alex and Zhang, Han and Raffel, Colin},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2001.07685},
  archivePrefix = {arXiv}
}""",
        claim="Pseudo-labels of weak views for strong views match far more complex methods.",
        official_code="ok",
        deviates="Views, net and steps are the task's; the last weights are judged, and their "
        "average stands beside.",
        inputs="pictures",
        stacked=True,
        defaults_from="paper",
    )
    cutoff: Annotated[float, Meta(ge=0)] = 0.95
    """Least probability of a pseudo-label; above 1: sup."""

    def loss(self, state: Any, members: Members, batch: Batch) -> torch.Tensor:
        """H(y, f(weak x)) + mean over all rows of 1[max p_w >= cutoff] H(argmax p_w, f(strong u))
        (eq. 4).
        """
        size, many = batch.x.shape[1], batch.u.shape[1]
        views = (
            members.weak(batch.x, "labelled"),
            members.weak(batch.u, "pool"),
            members.strong(batch.u, "pool"),
        )
        logits = members.nets(torch.cat(views, 1))
        members.count(forward=logits.shape[1], backward=size + many)
        own, weak, strong = logits.split([size, many, many], 1)
        sure, guess = weak.detach().softmax(-1).max(-1)
        counts = (sure >= self.cutoff).to(own.dtype)
        members.note(batch, counts)
        term = (counts * soft_cross_entropy(strong, guess)).mean(1)
        return soft_cross_entropy(own, batch.y).mean(1) + term
