"""Decoupled mixup (arXiv:2203.10761)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard
from bench.training.mixing import Mixing, Mixtures
from bench.training.recipe import Batch, Seeds

from ._boxes import Boxes
from ._pictures import checked


class DecoupledMixup(Mixing):
    """mixup with a second term: each of the two classes is held against all but the other."""

    card: ClassVar = MethodCard(
        name="decoupled-mixup",
        title="Decoupled mixup",
        track="recipes",
        paper="arXiv:2203.10761",
        bibtex="""@inproceedings{liu2023harnessing,
  title = {Harnessing Hard Mixed Samples with Decoupled Regularizer},
  author = {Liu, Zicheng and Li, Siyuan and Wang, Ge and Wu, Lirong and Tan, Cheng and Li, Stan Z.},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2203.10761},
  archivePrefix = {arXiv}
}""",
        claim="The softmax makes the two classes of a mixture compete; without that, hard mixtures "
        "are learned too.",
        official_code="flawed",
        deviates="The public code reads the weight of the first class in class order and pairs it "
        "with the labels in order of the rows, and switches the term off at a weight of 1/2; here "
        "each class has its own weight.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"eta": (0.01, 0.1, 0.5, 1.0)},
    )
    settings: ClassVar = {"r18-cifar100": {"alpha": 0.2, "eta": 0.01, "mode": "more"}}
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Both parameters of the Beta distribution of the weight."""
    eta: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the second term."""
    mode: Literal["both", "more"] = "both"
    """``both``: each class by its share of the mixture; ``more``: only the one with the larger
    share, by the root of that share.
    """
    on: Literal["mixup", "cutmix"] = "mixup"
    """How pictures are mixed."""

    @property
    def concentration(self) -> float:
        """Return alpha."""
        return self.alpha

    def start(self, seeds: Seeds) -> Mixtures:
        """Set up the private streams."""
        if self.on == "mixup":
            return Mixtures(seeds)
        checked(self, seeds)
        return Boxes(seeds)

    def inputs(self, state: Mixtures, batch: Batch) -> torch.Tensor:
        """Return mixtures of rows (K, B, ...)."""
        if isinstance(state, Boxes):
            return state.pasted(batch, batch.x)
        return state.mixed(batch, batch.x)

    def loss(self, state: Mixtures, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE of the mixed target + eta sum_i w_i (-log p_i without the other class); rows of one
        class have the first term alone.
        """
        mixed = super().loss(state, batch, logits)
        if not self.eta:
            return mixed
        a, b = batch.y, state.others(batch, batch.y)
        lam = state.weight(batch, logits)[..., 0]
        wa, wb = lam, 1 - lam
        if self.mode == "more":
            wa, wb = ((part >= 0.5) * part.sqrt() for part in (wa, wb))
        term = wa * decoupled(logits, a, b) + wb * decoupled(logits, b, a)
        return mixed + self.eta * torch.where(a == b, torch.zeros_like(term), term)


def decoupled(logits: torch.Tensor, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return -log p of the classes ``one`` (K, B) where the classes ``other`` are left out of the
    softmax of logits (K, B, C); equation 8 of arXiv:2203.10761.
    """
    left = logits.scatter(-1, other[..., None], -torch.inf)
    # of a class that is its own other nothing is left; its loss is not used
    kept = torch.where((one == other)[..., None], logits, left)
    return -kept.log_softmax(-1).gather(-1, one[..., None])[..., 0]
