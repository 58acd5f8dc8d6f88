"""Spectral decoupling (arXiv:2011.09468)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, adamw, cross_entropy


class SpectralDecoupling(GroupMethod):
    """Punish large logits in place of large weights."""

    card: ClassVar = MethodCard(
        name="spectral-decoupling",
        title="Spectral decoupling",
        track="group-shift",
        paper="arXiv:2011.09468",
        bibtex="""@inproceedings{pezeshki2021gradient,
  title = {Gradient Starvation: A Learning Proclivity in Neural Networks},
  author = {Pezeshki, Mohammad and Kaba, S{\\'e}kou-Oumar and Bengio, Yoshua and
    Courville, Aaron and Precup, Doina and Lajoie, Guillaume},
  booktitle = {NeurIPS},
  year = {2021},
  eprint = {2011.09468},
  archivePrefix = {arXiv}
}""",
        claim="A penalty on the logits lets weak features be learned beside a strong one, which "
        "starves them under cross entropy.",
        official_code="ok",
        deviates="Cross entropy over all classes, so that the penalty is on all logits of a row; "
        "the paper has one logit. The authors turn the penalty on in the middle of some runs.",
        signal="none",
        stacked=True,
        defaults_from="here",
        tuning={"lam": (0.01, 0.1, 1.0)},
    )
    lam: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the penalty."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Decoupled weight decay in place of the task's."""

    def optimiser(self, seeds: Any) -> torch.optim.Optimizer:
        """Return AdamW with this weight decay."""
        return adamw(seeds.nets, seeds.problem.lr, self.weight_decay)

    def loss(self, state: None, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy + lam / 2 times the squared norm of the logits (equation 9)."""
        return cross_entropy(logits, batch.y) + self.lam / 2 * logits.square().sum(-1)
