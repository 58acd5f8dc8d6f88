"""Training on single steps of the gradient's sign (arXiv:1412.6572)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import AdversarialMethod, Attacks, Batch, both
from bench.training import attacks
from bench.training.nets import StackedNet
from bench.training.recipe import cross_entropy


class FgsmTraining(AdversarialMethod):
    """Minimise the cross entropy on x + eps sign of its gradient in x (section 6)."""

    card: ClassVar = MethodCard(
        name="fgsm-at",
        title="Training on FGSM attacks",
        track="adversarial",
        paper="arXiv:1412.6572",
        bibtex="""@inproceedings{goodfellow2015explaining,
  title = {Explaining and Harnessing Adversarial Examples},
  author = {Goodfellow, Ian J. and Shlens, Jonathon and Szegedy, Christian},
  booktitle = {ICLR},
  year = {2015},
  eprint = {1412.6572},
  archivePrefix = {arXiv}
}""",
        claim="Training on single-step attacks lowers the error on them, and on clean rows too; "
        "no claim about stronger attacks.",
        official_code="none",
        deviates="No clean rows by default; the paper's objective is half of each (setting "
        "'paper'), a weight that is recalled and was not looked up.",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"mix": (0.0, 0.25, 0.5)},
    )
    settings: ClassVar = {"paper": {"mix": 0.5}}
    mix: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Weight of the clean rows' loss."""

    def attack(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the rows after one step of the radius."""
        loss = attacks.cross_entropy(batch.y)
        return state.ascend(nets, loss, batch.x, steps=1, step=state.ball.eps)

    def forward(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the attacked rows (K, B, C), and before them those of the clean
        rows, (2, K, B, C), where these count.
        """
        if not self.mix:
            return super().forward(state, nets, batch)
        return both(state, nets, batch.x, self.attack(state, nets, batch))

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Mix CE(z) + (1 - mix) CE(z_adv)."""
        if not self.mix:
            return super().loss(state, batch, logits)
        clean, attacked = (cross_entropy(one, batch.y) for one in logits)
        return self.mix * clean + (1 - self.mix) * attacked
