"""The variational loss cut off after some terms, with self-calibration (arXiv:2308.15081)."""

from __future__ import annotations

import copy
from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.positive_unlabeled import Batch, Members, PositiveUnlabeledMethod, over_known
from bench.training.stack import StackedNet


class _State:
    """The members, and the average of each one's net over the steps."""

    average: StackedNet

    def __init__(self, members: Members) -> None:
        self.members, self.average = members, copy.deepcopy(members.nets)


class TaylorRisk(PositiveUnlabeledMethod):
    """Replace the logarithm of the mean output, whose gradient has no bound, by its first terms;
    stay near an average of the net.
    """

    card: ClassVar = MethodCard(
        name="taylor-vpu",
        title="Taylor variational loss",
        track="positive-unlabeled",
        paper="arXiv:2308.15081",
        bibtex="""@inproceedings{zhao2023class,
  title = {Class Prior-Free Positive-Unlabeled Learning with Taylor Variational Loss for
    Hyperspectral Remote Sensing Imagery},
  author = {Zhao, Hengwei and Wang, Xinyu and Li, Jingtao and Zhong, Yanfei},
  booktitle = {ICCV},
  year = {2023},
  eprint = {2308.15081},
  archivePrefix = {arXiv}
}""",
        claim="Fewer terms overfit few positives less than the logarithm, without the prior.",
        official_code="ok",
        deviates="The nets and steps are the task's, and rows are digits or columns, not pixels of "
        "a scene, so that the means are over a batch. The average moves at every step; the "
        "authors' steps are whole scenes.",
        stacked=True,
        defaults_from="paper",
    )
    order: Annotated[int, Meta(ge=1)] = 2
    """Terms of the series of the logarithm; many are vpu without mixtures."""
    calibration: Annotated[float, Meta(ge=0)] = 0.2
    """Weight of the distance to the average net; 0: none."""
    decay: Annotated[float, Meta(ge=0, lt=1)] = 0.99
    """Memory of the average, in [0, 1), reached after 1 / (1 - decay) steps."""
    clip: Annotated[float, Meta(gt=0)] = 6.0
    """Largest norm of a net's gradient."""

    def start(self, members: Members) -> _State:
        """Begin the average where the nets begin."""
        return _State(members)

    def risk(
        self, state: _State, batch: Batch, z: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """T_o(E_U sigma(z)) - E_P log sigma(z), T_o(m) = -sum over i <= o of (1 - m)^i / i, and
        the calibration.
        """
        away = 1 - z.sigmoid().mean(1)
        places = torch.arange(1, self.order + 1, device=z.device, dtype=z.dtype)
        series = -(away[..., None] ** places / places).sum(-1)
        found = series - over_known(F.logsigmoid(known), batch.s_known)
        if not self.calibration:
            return found
        return found + self.calibration * self._apart(state, batch, torch.cat([z, known], 1))

    def _apart(self, state: _State, batch: Batch, z: torch.Tensor) -> torch.Tensor:
        """Mean of the symmetric divergence to the average net, (p - q)(z_p - z_q)."""
        with torch.no_grad():
            other = state.average(batch.x)
        state.members.count(forward=z.shape[1])
        return ((z.sigmoid() - other.sigmoid()) * (z - other)).mean(1)

    def before_step(self, state: _State, members: Members) -> None:
        """Shorten the gradient of each net."""
        gradients = [own.grad for own in members.nets.parameters() if own.grad is not None]
        norm = sum(own.flatten(1).square().sum(1) for own in gradients) ** 0.5
        scale = (self.clip / (norm + 1e-6)).clamp_max(1)
        for own in gradients:
            own.mul_(scale.view(-1, *[1] * (own.dim() - 1)))

    def after_step(self, state: _State, members: Members, step: int) -> None:
        """Move the average: by 1 / (t + 1) of the way at first."""
        move = max(1 / (step + 1), 1 - self.decay)
        with torch.no_grad():
            for mine, other in zip(
                (*state.average.parameters(), *state.average.buffers()),
                (*members.nets.parameters(), *members.nets.buffers()),
                strict=True,
            ):
                mine.lerp_(other, move)
