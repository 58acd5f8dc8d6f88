"""Training on single steps from a random start (arXiv:2001.03994)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import AdversarialMethod, Attacks, Batch
from bench.training import attacks
from bench.training.nets import StackedNet


class RandomStart(AdversarialMethod):
    """Minimise the cross entropy after one step from a point drawn uniformly in the ball, put back
    into it (algorithm 3).
    """

    card: ClassVar = MethodCard(
        name="fgsm-rs",
        title="Training on FGSM attacks from a random start",
        track="adversarial",
        paper="arXiv:2001.03994",
        bibtex="""@inproceedings{wong2020fast,
  title = {Fast is better than free: Revisiting adversarial training},
  author = {Wong, Eric and Rice, Leslie and Kolter, J. Zico},
  booktitle = {ICLR},
  year = {2020},
  eprint = {2001.03994},
  archivePrefix = {arXiv}
}""",
        claim="A random start makes single-step training as robust as training on PGD.",
        official_code="ok",
        deviates="Rate and schedule are the task's, and nothing is stopped early.",
        stacked=True,
        defaults_from="paper",
        tuning={"size": (0.75, 1.0, 1.25, 1.5)},
    )
    size: Annotated[float, Meta(gt=0)] = 1.25
    """Size of the step, in radii."""

    def attack(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the rows after one step from their starting points."""
        loss, size = attacks.cross_entropy(batch.y), self.size * state.ball.eps
        return state.ascend(nets, loss, batch.x, state.start(batch), steps=1, step=size)
