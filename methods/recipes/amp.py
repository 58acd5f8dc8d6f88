"""Adversarial model perturbation (arXiv:2010.04925)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard

from ._ascent import Ascent, norms, times


class Amp(Ascent):
    """Step by the gradient at perturbed weights, each tensor of which has moved by at most
    ``radius``.
    """

    card: ClassVar = MethodCard(
        name="amp",
        title="Adversarial model perturbation",
        track="recipes",
        paper="arXiv:2010.04925",
        bibtex="""@inproceedings{zheng2021regularizing,
  title = {Regularizing Neural Networks via Adversarial Model Perturbation},
  author = {Zheng, Yaowei and Zhang, Richong and Mao, Yongyi},
  booktitle = {CVPR},
  year = {2021},
  eprint = {2010.04925},
  archivePrefix = {arXiv}
}""",
        claim="Minimising the largest loss near the weights finds flatter minima, which generalise "
        "better.",
        official_code="ok",
        deviates="Twice the passes of plain training at one inner step.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"radius": (0.05, 0.1, 0.5, 1.0)},
    )
    radius: Annotated[float, Meta(ge=0)] = 0.5
    """Largest norm of the perturbation of a tensor."""
    inner_lr: Annotated[float, Meta(gt=0)] = 1.0
    """Rate of the perturbation."""
    inner_steps: Annotated[int, Meta(ge=1)] = 1
    """How often the weights climb in a step."""

    @property
    def climbs(self) -> int:
        """Return the number of inner steps."""
        return self.inner_steps

    def move(
        self, weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
    ) -> list[torch.Tensor]:
        """Return the gradients times the inner rate."""
        return [self.inner_lr * gradient for gradient in gradients]

    def bounded(self, moved: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Shorten each tensor's perturbation to the radius by its own norm (algorithm 1)."""
        return [times((self.radius / (norms([by]) + 1e-12)).clamp_max(1.0), by) for by in moved]
