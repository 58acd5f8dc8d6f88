"""PGD training (arXiv:1706.06083) against noise that an attacker has added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.poisoning import Batch, PoisoningMethod, Seeds
from bench.training import attacks
from bench.training.attacks import Ball
from bench.training.nets import StackedNet


class _State:
    """Each member's stream, the starting points of the epoch at hand, and its radius."""

    points: Sequence[torch.Tensor]
    radius: float

    def __init__(self, seeds: Seeds, radius: float) -> None:
        self.seeds, self.most = seeds, radius
        self.streams = [run.torch_generator("method", "starts", device="cpu") for run in seeds.runs]

    def draw(self, epoch: int, rise: float) -> None:
        """Draw an epoch's points in [-1, 1), and set its radius."""
        seeds = self.seeds
        shape = (seeds.drawn, *seeds.problem.x.shape[1:])
        found = torch.stack([torch.rand(shape, generator=own) for own in self.streams])
        self.points = (2 * found - 1).to(seeds.device).split(seeds.problem.batch_size, 1)
        rising = max(1.0, rise * seeds.problem.epochs)
        self.radius = self.most * min(1.0, (epoch + 1) / rising)


class PgdTraining(PoisoningMethod):
    """Minimise the cross entropy on rows after projected gradient ascent, in a ball of a share of
    the attacker's radius.
    """

    card: ClassVar = MethodCard(
        name="pgd-at",
        title="Training on PGD attacks",
        track="poisoning",
        paper="arXiv:1706.06083",
        bibtex="""@inproceedings{madry2018towards,
  title = {Towards Deep Learning Models Resistant to Adversarial Attacks},
  author = {Madry, Aleksander and Makelov, Aleksandar and Schmidt, Ludwig and Tsipras, Dimitris and
    Vladu, Adrian},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1706.06083},
  archivePrefix = {arXiv}
}""",
        claim="Training on the strongest first-order attack gives nets that withstand all of them; "
        "no claim about poisoned rows, against which others use it.",
        official_code="ok",
        deviates="The radius is half of the attacker's, which the task tells, and rises over the "
        "first epochs.",
        signal="none",
        needs=("epsilon",),
        stacked=True,
        defaults_from="here",
        tuning={"share": (0.25, 0.5, 1.0)},
    )
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Radius of the ball, as a share of the attacker's."""
    steps: Annotated[int, Meta(ge=1)] = 10
    """Steps of the ascent, each 2.5 times the radius over their number."""
    rise: Annotated[float, Meta(ge=0, le=1)] = 0.3
    """Share of the epochs in which the radius rises, epoch by epoch."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds, self.share * (seeds.problem.epsilon or 0.0))

    def draw(self, state: Any, epoch: int) -> None:
        """Draw the epoch's starting points."""
        state.draw(epoch, self.rise)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the attacked rows (K, B, C)."""
        radius = state.radius
        start = (batch.x + radius * state.points[batch.step]).clamp(0, 1)
        visits = self.steps * batch.x.shape[1]
        state.seeds.count(forward=visits, backward=visits)
        with attacks.frozen(nets):
            found = attacks.pgd(
                nets,
                attacks.cross_entropy(batch.y),
                batch.x,
                Ball(eps=radius),
                steps=self.steps,
                step=2.5 * radius / self.steps,
                lead=2,
                start=start,
            )
        logits: torch.Tensor = nets(found)
        return logits
