"""MART: misclassification-aware adversarial training."""

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
from bench.training import attacks
from bench.training.nets import StackedNet
from bench.training.recipe import cross_entropy


class Mart(AdversarialMethod):
    """Minimise BCE(p_adv, y) + beta KL(p || p_adv) (1 - p_y), so that rows that are wrong already
    are regularised more (https://openreview.net/forum?id=rklOg6EFwS, equation 11).
    """

    card: ClassVar = MethodCard(
        name="mart",
        title="MART",
        track="adversarial",
        paper="https://openreview.net/forum?id=rklOg6EFwS",
        bibtex="""@inproceedings{wang2020improving,
  title = {Improving Adversarial Robustness Requires Revisiting Misclassified Examples},
  author = {Wang, Yisen and Zou, Difan and Yi, Jinfeng and Bailey, James and Ma, Xingjun and Gu,
    Quanquan},
  booktitle = {ICLR},
  year = {2020}
}""",
        claim="Treating rows that are misclassified without an attack differently makes nets more "
        "robust.",
        official_code="ok",
        deviates="Steps, rate and schedule are the task's; beta is the one of the authors' code.",
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
        """Return rows after ascent on the cross entropy, from a start beside the row."""
        start = state.start(batch, 0.001)
        return state.ascend(nets, attacks.cross_entropy(batch.y), batch.x, start)

    def forward(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the clean and of the attacked rows (2, K, B, C)."""
        return both(state, nets, batch.x, self.attack(state, nets, batch))

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(z_adv) - log(1 - max of the other p_adv) + beta KL(p || p_adv) (1 - p_y)."""
        clean, attacked = logits
        own = batch.y[..., None]
        p_adv = attacked.softmax(-1)
        others = p_adv.scatter(-1, own, 0.0).amax(-1)
        boosted = cross_entropy(attacked, batch.y) - (1.0001 - others).log()
        weight = 1 - clean.softmax(-1).gather(-1, own)[..., 0]
        return boosted + self.beta * divergence(clean, attacked) * weight
