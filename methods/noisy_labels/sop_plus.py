"""SOP+: sparse over-parameterisation with consistency and class balance (arXiv:2202.14026)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, Seeds
from bench.training.stack import StackedNet

from ._views import Views
from .sop import SparseOverParameterisation, _State


class _PlusState(_State):
    """The noise of every row, and second looks at the rows."""

    def __init__(self, drawn: _State, seeds: Seeds, noise: float) -> None:
        vars(self).update(vars(drawn))
        self.seeds, self.views = seeds, Views(seeds, noise)


class SparseOverParameterisationPlus(SparseOverParameterisation):
    """Learn a noise vector for each row; two looks at a row shall agree, and no class be left out
    of what a batch is taken for.
    """

    card: ClassVar = MethodCard(
        name="sop-plus",
        title="SOP+: sparse over-parameterisation with consistency and class balance",
        track="noisy-labels",
        paper="arXiv:2202.14026",
        bibtex="""@inproceedings{liu2022robust,
  title = {Robust Training under Label Noise by Over-parameterization},
  author = {Liu, Sheng and Zhu, Zhihui and Qu, Qing and You, Chong},
  booktitle = {ICML},
  year = {2022},
  eprint = {2202.14026},
  archivePrefix = {arXiv}
}""",
        claim="With two looks at each row that shall agree and balanced classes, one net is above "
        "SOP and on a par with methods that train two.",
        official_code="ok",
        deviates=(
            "A row's second look is the row mirrored and shifted as the task says, with Gaussian "
            "noise added, where the authors take learned augmentations of photographs "
            "(AutoAugment). BatchNorm sees each look by itself. The rates of the noise vectors are "
            "those of sop, scaled to the task's epochs and batch."
        ),
        stacked=True,
        defaults_from="here",
        trials=0,
        tuning={"noise": (0.0, 0.3, 1.0), "consistency": (0.3, 0.9, 3.0)},
    )
    settings: ClassVar = {
        "cifar100-sym": {"lr_u": 1.0, "lr_v": 10.0, "consistency": 0.9, "balance": 0.1},
        "cifar100-asym": {"lr_u": 0.1, "lr_v": 100.0, "consistency": 0.9, "balance": 0.1},
    }
    consistency: Annotated[float, Meta(ge=0)] = 0.9
    """Weight of the divergence of the prediction on the second look from that on the first."""
    balance: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the cross entropy of the even distribution and a batch's mean prediction."""
    noise: Annotated[float, Meta(ge=0)] = 0.3
    """Standard deviation of what is added to the second look."""

    def start(self, seeds: Seeds) -> _PlusState:
        """Draw the noise vectors, of size 1e-8."""
        return _PlusState(super().start(seeds), seeds, self.noise)

    def forward(self, state: _PlusState, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits (2, K, B, C) of both looks."""
        return torch.stack([nets(batch.x), nets(state.views(batch))])

    def loss(self, state: _PlusState, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return the loss of SOP on the first look, consistency KL(p of the first || p of the
        second), and balance times what the batch's mean noisy prediction lacks of every class,
        (K, B).
        """
        first, second = logits
        u, v = state.pick(batch)
        given = F.one_hot(batch.y, first.shape[-1]).to(first.dtype)
        excess, lack = (u**2 * given).clamp(0, 1), (v**2 * (1 - given)).clamp(0, 1)
        p = (first.softmax(-1) + excess - lack.detach()).clamp_min(1e-4)
        p = (p / p.sum(-1, keepdim=True)).clamp(1e-4, 1)
        hard = F.one_hot(first.detach().argmax(-1), first.shape[-1])
        fit = -p.gather(-1, batch.y[..., None])[..., 0].log() + (
            (hard + excess - lack - given) ** 2
        ).sum(-1)
        log_first = first.detach().log_softmax(-1)
        apart = (log_first.exp() * (log_first - second.log_softmax(-1))).sum(-1)
        even = -p.mean(1, keepdim=True).clamp(1e-4, 1).log().mean(-1)
        return fit + self.consistency * apart + self.balance * even

    def after_epoch(self, state: _PlusState, epoch: int) -> None:
        """Count the second looks; draw the next ones."""
        drawn = state.seeds.drawn
        state.seeds.count(forward=drawn, backward=drawn)
        state.views.draw()
