"""BETA: best targeted attack (arXiv:2306.11035)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.adversarial import AdversarialMethod, Attacks, Batch
from bench.training import attacks
from bench.training.nets import StackedNet


class BestTargeted(AdversarialMethod):
    """Attack z_t - z_y for every wrong class t, and minimise the cross entropy on the attack that
    went farthest (algorithm 2).
    """

    card: ClassVar = MethodCard(
        name="beta",
        title="BETA",
        track="adversarial",
        paper="arXiv:2306.11035",
        bibtex="""@inproceedings{robey2024adversarial,
  title = {Adversarial Training Should Be Cast as a Non-Zero-Sum Game},
  author = {Robey, Alexander and Latorre, Fabian and Pappas, George J. and Hassani, Hamed and
    Cevher, Volkan},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2306.11035},
  archivePrefix = {arXiv}
}""",
        claim="An attack that maximises the error, not a bound of it, gives robust training "
        "without robust overfitting.",
        official_code="none",
        deviates="The abstract alone was read: the step follows the sign of the gradient and has "
        "the size that PGD takes here. The attacks on all wrong classes run side by side.",
        stacked=True,
        defaults_from="here",
    )

    def attack(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return of the attacks towards all wrong classes the one with the largest margin."""
        wrong = state.seeds.problem.n_classes - 1
        many, own = attacks.repeated(batch.x, wrong, 2), attacks.repeated(batch.y, wrong, 2)
        shift = torch.arange(1, wrong + 1, device=own.device).repeat_interleave(len(batch.y[0]))
        loss = attacks.towards(own, (own + shift) % (wrong + 1))
        start = attacks.repeated(state.start(batch), wrong, 2)
        found = state.ascend(nets, loss, many, start)
        state.seeds.count(forward=many.shape[1])
        with attacks.frozen(nets):
            return attacks.strongest(nets, found, batch.y, wrong)
