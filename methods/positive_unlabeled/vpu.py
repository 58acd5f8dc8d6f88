"""A variational loss without the prior (arXiv:1906.00642)."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.positive_unlabeled import Batch, Members, PositiveUnlabeledMethod, over_known
from bench.training.rows import beside


class _State:
    """The members, and each one's generator of mixtures."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self.generators = [run.numpy_generator("method", "mixtures") for run in members.runs]

    def draw(self, alpha: float, size: int, known: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a weight a member (K, 1), and a known row for each unlabelled one (K, B)."""
        weights = [own.beta(alpha, alpha) for own in self.generators]
        partners = np.stack([own.integers(0, known, size) for own in self.generators])
        device = self.members.device
        return (
            torch.tensor(weights, dtype=self.members.x.dtype, device=device)[:, None],
            torch.from_numpy(partners).to(device),
        )


class VariationalRisk(PositiveUnlabeledMethod):
    """Fit p(y = 1 | x), up to its largest value, by a bound that needs no prior; mix rows so that
    few positives do not do.
    """

    card: ClassVar = MethodCard(
        name="vpu",
        title="Variational loss (VPU)",
        track="positive-unlabeled",
        paper="arXiv:1906.00642",
        bibtex="""@inproceedings{chen2020variational,
  title = {A Variational Approach for Learning from Positive and Unlabeled Data},
  author = {Chen, Hui and Liu, Fangqing and Wang, Yin and Zhao, Liyue and Wu, Hao},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {1906.00642},
  archivePrefix = {arXiv}
}""",
        claim="Without the prior it reaches what others reach with it.",
        official_code="ok",
        deviates="The nets and steps are the task's, and the last step is judged; the authors keep "
        "the epoch with the lowest loss on held-out rows.",
        stacked=True,
        defaults_from="paper",
    )
    mix: Annotated[float, Meta(ge=0)] = 0.03
    """Weight of the loss of mixtures; 0: none."""
    alpha: Annotated[float, Meta(gt=0)] = 0.3
    """Both parameters of the Beta distribution of a mixture's weight, one a step."""

    def start(self, members: Members) -> _State:
        """Set up the private streams."""
        return _State(members)

    def risk(
        self, state: _State, batch: Batch, z: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Log E_U phi - E_P log phi, phi = sigma(z), eq. 7, and the loss of mixtures, eq. 9."""
        whole = F.logsigmoid(z).logsumexp(1) - math.log(z.shape[1])
        found = whole - over_known(F.logsigmoid(known), batch.s_known)
        return found + self.mix * self._mixed(state, batch, z) if self.mix else found

    def _mixed(self, state: _State, batch: Batch, z: torch.Tensor) -> torch.Tensor:
        """Mean over rows of (log t - log phi(mixture))^2, t the same mixture of phi(x) and 1."""
        size = z.shape[1]
        weight, partner = state.draw(self.alpha, size, batch.known.shape[1])
        unlabelled, known = batch.x[:, :size], batch.x[:, size:]
        wide = weight.view(-1, *[1] * (batch.x.dim() - 1))
        mixture = wide * unlabelled + (1 - wide) * beside(known, partner)
        positive = beside(batch.s_known, partner)  # with many columns, known in this one
        target = weight[..., None] * z.sigmoid() + (1 - weight[..., None])
        apart = target.log() - F.logsigmoid(state.members.nets(mixture))
        state.members.count(forward=size, backward=size)
        return (positive * apart**2).sum(1) / positive.sum(1).clamp_min(1)
