"""Utility-based perturbed gradient descent (arXiv:2302.03281)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import ContinualMethod, Members

from ._upgd import Perturbed


class UtilityPerturbed(ContinualMethod):
    """u <- beta u - (1 - beta) g theta; s = sigmoid(u / max u), both corrected for their start;
    theta <- (1 - lr w) theta - 2 lr (g + xi) (1 - s).
    """

    card: ClassVar = MethodCard(
        name="upgd",
        title="Utility-based perturbed gradient descent",
        track="continual",
        paper="arXiv:2302.03281",
        bibtex="""@article{elsayed2023utility,
  title = {Utility-based Perturbed Gradient Descent: An Optimizer for Continual Learning},
  author = {Elsayed, Mohamed and Mahmood, A. Rupam},
  journal = {arXiv preprint},
  year = {2023},
  eprint = {2302.03281},
  archivePrefix = {arXiv}
}""",
        claim="Smaller and less noisy updates of useful weights preserve knowledge and plasticity.",
        official_code="flawed",
        deviates="The largest utility is bias-corrected as the others are, and is kept above 0; "
        "the authors' code does neither. It steps by its own rate, whatever optimiser the task "
        "has.",
        signal="dynamics",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.01, 0.03, 0.1), "noise": (0.001, 0.01)},
    )
    lr: Annotated[float, Meta(gt=0)] = 0.03
    """Learning rate."""
    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.999
    """Of the running mean of the utility."""
    noise: Annotated[float, Meta(ge=0)] = 0.001
    """Standard deviation of the noise on gradients."""
    decay: Annotated[float, Meta(ge=0)] = 0.001
    """Decay of weights w."""

    def optimiser(self, members: Members) -> torch.optim.Optimizer:
        """Return the paper's."""
        return Perturbed(members, self.lr, self.decay, self.noise, 2.0, self.beta)
