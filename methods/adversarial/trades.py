"""TRADES (arXiv:1901.08573)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import (
    AdversarialMethod,
    Attacks,
    Batch,
    Seeds,
    both,
    divergence,
)
from bench.training.nets import StackedNet
from bench.training.recipe import cross_entropy


class Trades(AdversarialMethod):
    """Minimise CE(z, y) + beta KL(p || p_adv), where the attack raises that divergence
    (equation 5).
    """

    card: ClassVar = MethodCard(
        name="trades",
        title="TRADES",
        track="adversarial",
        paper="arXiv:1901.08573",
        bibtex="""@inproceedings{zhang2019theoretically,
  title = {Theoretically Principled Trade-off between Robustness and Accuracy},
  author = {Zhang, Hongyang and Yu, Yaodong and Jiao, Jiantao and Xing, Eric P. and El Ghaoui,
    Laurent and Jordan, Michael I.},
  booktitle = {ICML},
  year = {2019},
  eprint = {1901.08573},
  archivePrefix = {arXiv}
}""",
        claim="Accuracy and the change of the outputs under attack are traded off by one weight; "
        "more robust than training on attacked rows alone.",
        official_code="ok",
        deviates="Steps, rate and schedule are the task's. The clean outputs are computed once an "
        "attack, not in each of its steps.",
        stacked=True,
        defaults_from="paper",
        tuning={"beta": (1.0, 3.0, 6.0, 10.0)},
    )
    beta: Annotated[float, Meta(ge=0)] = 6.0
    """Weight of the divergence."""

    def start(self, seeds: Seeds) -> Attacks:
        """Set up the streams of the attacks."""
        return Attacks(seeds, "normal")

    def attack(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return rows whose outputs diverge from the clean ones, from a start beside the row."""
        return state.diverge(nets, batch, state.start(batch, 0.001))

    def forward(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the clean and of the attacked rows (2, K, B, C)."""
        return both(state, nets, batch.x, self.attack(state, nets, batch))

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(z) + beta KL(p || p_adv)."""
        return cross_entropy(logits[0], batch.y) + self.beta * divergence(logits[0], logits[1])
