"""Sparse over-parameterisation (arXiv:2202.14026)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds
from bench.training.stack import StackedNet


class _State:
    """The noise of every row: u (K * N, 1) for what its label has too much, v (K * N, C) for what
    the other classes lack, and the batch's part of both.
    """

    def __init__(self, seeds: Seeds, lr_u: float, lr_v: float) -> None:
        shape = (seeds.n_rows, 1 + seeds.problem.n_classes)
        drawn = np.concatenate(
            [
                1e-8 * run.numpy_generator("method", "noise").standard_normal(shape)
                for run in seeds.runs
            ]
        )
        self.u, self.v = (
            torch.from_numpy(drawn).float().to(seeds.device).split([1, shape[1] - 1], 1)
        )
        self.lr_u, self.lr_v = lr_u, lr_v

    def pick(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the batch's u and v, from now on with gradients."""
        self.now = self.u[batch.flat].requires_grad_(), self.v[batch.flat].requires_grad_()
        return self.now


class SparseOverParameterisation(NoisyLabelMethod):
    """Give each row a noise vector of its own, so small at the start that
    only rows which the net cannot fit grow one.
    """

    card: ClassVar = MethodCard(
        name="sop",
        title="Sparse over-parameterisation",
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
        claim="Learns the label noise beside the net and ends far above cross entropy under "
        "symmetric and asymmetric noise, without being told the rate.",
        official_code="ok",
        deviates=(
            "The method without the consistency and balance terms that make it SOP+. The noise "
            "vectors grow by a factor that depends on their learning rate, the number of visits "
            "and the batch, so the default rates are scaled to the task's epochs and batch. The "
            "authors' code publishes rates for CIFAR-100 alone, which are in 'settings'."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr_u": (None, 1.0, 3.0, 30.0), "lr_v": (None, 300.0)},
    )
    settings: ClassVar = {
        "cifar100-sym": {"lr_u": 1.0, "lr_v": 10.0},
        "cifar100-asym": {"lr_u": 0.1, "lr_v": 100.0},
    }
    lr_u: Annotated[float, Meta(ge=0)] | None = None
    """Learning rate of u; none: 2 (300 / epochs) (batch / 128)."""
    lr_v: Annotated[float, Meta(ge=0)] | None = None
    """Learning rate of v; none: ten times that of u."""

    def start(self, seeds: Seeds) -> _State:
        """Draw the noise vectors, of size 1e-8."""
        lr_u = (
            self.lr_u
            if self.lr_u is not None
            else 2 * (300 / seeds.problem.epochs) * (seeds.problem.batch_size / 128)
        )
        return _State(seeds, lr_u, self.lr_v if self.lr_v is not None else 10 * lr_u)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE of the noisy prediction, which moves the net and u, and the squared distance of hard
        prediction plus noise to the label, which moves u and v.
        """
        u, v = state.pick(batch)
        given = F.one_hot(batch.y, logits.shape[-1]).to(logits.dtype)
        excess, lack = (u**2 * given).clamp(0, 1), (v**2 * (1 - given)).clamp(0, 1)
        p = (logits.softmax(-1) + excess - lack.detach()).clamp_min(1e-4)
        p = (p / p.sum(-1, keepdim=True)).clamp(1e-4, 1)
        hard = F.one_hot(logits.detach().argmax(-1), logits.shape[-1])
        return -p.gather(-1, batch.y[..., None])[..., 0].log() + (
            (hard + excess - lack - given) ** 2
        ).sum(-1)

    def before_step(self, state: _State, nets: StackedNet, batch: Batch) -> None:
        """Move the batch's noise along its gradient: SGD without momentum
        or decay, apart from the nets'.
        """
        u, v = state.now
        state.u[batch.flat] = (u - state.lr_u * u.grad).detach()
        state.v[batch.flat] = (v - state.lr_v * v.grad).detach()

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Take the noise off the label: the largest entry of what remains
        is the correction, what the label keeps is its score.
        """
        given = F.one_hot(seeds.y.flatten(), seeds.problem.n_classes)
        left = given - (state.u**2 * given).clamp(0, 1) + (state.v**2 * (1 - given)).clamp(0, 1)
        labels, scores = (
            left.argmax(-1).view(seeds.members, -1),
            left.gather(1, seeds.y.view(-1, 1)).view(seeds.members, -1),
        )
        return [{"labels": labels[k], "clean_score": scores[k]} for k in range(seeds.members)]
