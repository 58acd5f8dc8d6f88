"""Class-balanced loss (arXiv:1901.05555)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, cross_entropy


def balance(counts: torch.Tensor, beta: float) -> torch.Tensor:
    """Return weights of classes (K, C), of mean 1, from numbers of rows (K, C): one over the
    effective number (1 - beta^n) / (1 - beta); 0 for a class without rows.
    """
    effective = (1 - beta ** counts.double()) / (1 - beta)
    weights = torch.where(counts > 0, 1 / effective.clamp_min(1e-12), 0.0)
    return (weights / weights.mean(1, keepdim=True)).float()


class ClassBalanced(GroupMethod):
    """Weigh classes by one over their effective number of rows."""

    card: ClassVar = MethodCard(
        name="cb",
        title="Class-balanced loss",
        track="group-shift",
        paper="arXiv:1901.05555",
        bibtex="""@inproceedings{cui2019class,
  title = {Class-Balanced Loss Based on Effective Number of Samples},
  author = {Cui, Yin and Jia, Menglin and Lin, Tsung-Yi and Song, Yang and Belongie, Serge},
  booktitle = {CVPR},
  year = {2019},
  eprint = {1901.05555},
  archivePrefix = {arXiv}
}""",
        claim="Weights by the effective number of rows do better on classes of unequal size than "
        "weights by one over the number of rows.",
        deviates="Softmax cross entropy alone. The tasks' classes are nearly of equal size, so "
        "that little is left of it.",
        signal="none",
        stacked=True,
        defaults_from="here",
    )
    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.9999
    """What a further row of a class adds is beta times what the one before it added."""

    def start(self, seeds: Any) -> torch.Tensor:
        """Return the weights of classes (K, C)."""
        counts = seeds.zeros(seeds.members, seeds.problem.n_classes, dtype=torch.int64)
        return balance(counts.scatter_add(1, seeds.y, torch.ones_like(seeds.y)), self.beta)

    def loss(self, state: torch.Tensor, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """w_y CE (equation 5)."""
        return state.gather(1, batch.y) * cross_entropy(logits, batch.y)
