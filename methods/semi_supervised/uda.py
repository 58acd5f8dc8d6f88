"""Sharpened targets of weak views for strong ones (arXiv:1904.12848)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy


class UnsupervisedAugmentation(SemiSupervisedMethod):
    """Ask of a strong view the sharpened answer to a weak one, if that is sure enough."""

    card: ClassVar = MethodCard(
        name="uda",
        title="Unsupervised data augmentation (UDA)",
        track="semi-supervised",
        paper="arXiv:1904.12848",
        bibtex="""@inproceedings{xie2020unsupervised,
  title = {Unsupervised Data Augmentation for Consistency Training},
  author = {Xie, Qizhe and Dai, Zihang and Hovy, Eduard and Luong, Minh-Thang and Le, Quoc V.},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {1904.12848},
  archivePrefix = {arXiv}
}""",
        claim="Consistency under strong views makes few labels nearly as good as all.",
        official_code="ok",
        deviates="Views, net and steps are the task's. The loss of labelled rows is not annealed.",
        inputs="pictures",
        stacked=True,
        defaults_from="paper",
    )
    temperature: Annotated[float, Meta(ge=1e-6)] = 0.4
    """Of the targets; towards 0 they are hard."""
    cutoff: Annotated[float, Meta(ge=0)] = 0.8
    """Least probability of a target's class before sharpening."""

    def loss(self, state: Any, members: Members, batch: Batch) -> torch.Tensor:
        """H(y, f(weak x)) + mean over all rows of 1[max p_w >= cutoff] H(softmax(z_w / T), f(strong
        u)).
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
        weak = weak.detach()
        counts = (weak.softmax(-1).amax(-1) >= self.cutoff).to(own.dtype)
        members.note(batch, counts)
        target = (weak / self.temperature).softmax(-1)
        term = (counts * soft_cross_entropy(strong, target)).mean(1)
        return soft_cross_entropy(own, batch.y).mean(1) + term
