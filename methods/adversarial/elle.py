"""ELLE: efficient local linearity regularisation (arXiv:2401.11618)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import Attacks, Batch, Seeds
from bench.training.nets import StackedNet
from bench.training.recipe import cross_entropy

from .fgsm_at import FgsmTraining


class Between(Attacks):
    """The attacks, two points of each row's ball, and a place between them."""

    def __init__(self, seeds: Seeds) -> None:
        super().__init__(seeds, copies=2)
        self._places = [run.torch_generator("method", "a", device="cpu") for run in seeds.runs]

    def draw(self) -> None:
        """Draw an epoch: the points, and the place (K, B) for each step."""
        super().draw()
        drawn = [torch.rand(self.seeds.drawn, generator=own) for own in self._places]
        found = torch.stack(drawn).to(self.seeds.device)
        self.a = found.split(self.seeds.problem.batch_size, 1)


class Elle(FgsmTraining):
    """Minimise the cross entropy on single-step attacks, plus lam times the squared error of the
    loss between two points of the ball against the line through its ends (equation 5).
    """

    card: ClassVar = MethodCard(
        name="elle",
        title="ELLE",
        track="adversarial",
        paper="arXiv:2401.11618",
        bibtex="""@inproceedings{rocamora2024efficient,
  title = {Efficient local linearity regularization to overcome catastrophic overfitting},
  author = {Abad Rocamora, Elias and Liu, Fanghui and Chrysos, Grigorios G. and Olmos, Pablo M. and
    Cevher, Volkan},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2401.11618},
  archivePrefix = {arXiv}
}""",
        claim="A loss that is linear in the ball keeps single-step training from collapsing, "
        "without a second gradient.",
        official_code="ok",
        deviates="The points are put into the unit cube. The authors' weights, 1,000 and more, "
        "are for radii a tenth as large.",
        stacked=True,
        defaults_from="here",
        trials=4,
        tuning={"lam": (1.0, 10.0, 100.0, 1000.0)},
    )
    settings: ClassVar = {"paper": {"lam": 1000.0}}
    mix: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Weight of the clean rows' loss; the paper has none."""
    lam: Annotated[float, Meta(ge=0)] = 10.0
    """Weight of the error of linearity."""

    def start(self, seeds: Seeds) -> Between:
        """Set up the streams."""
        return Between(seeds)

    def forward(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the attacked rows, and where linearity counts those of two points of
        the ball and of one between them: (4, K, B, C); else (1, K, B, C).
        """
        assert isinstance(state, Between)
        attacked = self.attack(state, nets, batch)
        if not self.weighs(state):
            return nets(attacked)[None]
        one, other = state.start(batch), state.start(batch, copy=1)
        a = state.a[batch.step].view(*batch.y.shape, *[1] * (batch.x.dim() - 2))
        rows = torch.cat([attacked, one, other, (1 - a) * one + a * other], 1)
        size = batch.y.shape[1]
        state.seeds.count(forward=3 * size, backward=3 * size)
        return torch.stack(nets(rows).split(size, 1))

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(z_adv) + lam (l(x_c) - (1 - a) l(x_a) - a l(x_b))^2."""
        assert isinstance(state, Between)
        losses = cross_entropy(logits, batch.y.expand(logits.shape[:-1]))
        if len(losses) == 1:
            return losses[0]
        attacked, one, other, middle = losses
        a = state.a[batch.step]
        error = (middle - (1 - a) * one - a * other).square()
        return attacked + self.weight(state, error) * error

    def weighs(self, state: Between) -> bool:
        """Say whether linearity counts at all."""
        return self.lam > 0

    def weight(self, state: Between, error: torch.Tensor) -> torch.Tensor | float:
        """Return the weight of the errors (K, B)."""
        return self.lam
