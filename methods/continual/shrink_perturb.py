"""Shrink and perturb (arXiv:1910.08475), at every step."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import ContinualMethod, Members

from ._upgd import Perturbed


class ShrinkPerturb(ContinualMethod):
    """theta <- (1 - lr d) theta - lr (g + xi), with normal xi."""

    card: ClassVar = MethodCard(
        name="shrink-perturb",
        title="Shrink and perturb at every step",
        track="continual",
        paper="arXiv:1910.08475",
        bibtex="""@inproceedings{ash2020warm,
  title = {On Warm-Starting Neural Network Training},
  author = {Ash, Jordan T. and Adams, Ryan P.},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {1910.08475},
  archivePrefix = {arXiv}
}""",
        claim="Shrinking weights and adding noise makes a net that goes on training generalise as "
        "a fresh one does.",
        deviates="At every step, as the authors of UPGD compare it, not when new data comes.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.01, 0.03, 0.1), "noise": (0.01, 0.05)},
    )
    lr: Annotated[float, Meta(gt=0)] = 0.03
    """Learning rate."""
    noise: Annotated[float, Meta(ge=0)] = 0.05
    """Standard deviation of the noise on gradients."""
    decay: Annotated[float, Meta(ge=0)] = 0.01
    """Decay of weights d."""

    def optimiser(self, members: Members) -> torch.optim.Optimizer:
        """Return SGD that shrinks and shakes."""
        return Perturbed(members, self.lr, self.decay, self.noise)
