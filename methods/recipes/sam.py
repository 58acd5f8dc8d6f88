"""Sharpness-aware minimisation (arXiv:2010.01412)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard

from ._ascent import Ascent, norms, times


class Sam(Ascent):
    """Step by the gradient at w + rho g / ||g||, where the loss is highest nearby."""

    card: ClassVar = MethodCard(
        name="sam",
        title="Sharpness-aware minimisation",
        track=("recipes", "long-tail", "regression"),
        paper="arXiv:2010.01412",
        bibtex="""@inproceedings{foret2021sharpness,
  title = {Sharpness-Aware Minimization for Efficiently Improving Generalization},
  author = {Foret, Pierre and Kleiner, Ariel and Mobahi, Hossein and Neyshabur, Behnam},
  booktitle = {ICLR},
  year = {2021},
  eprint = {2010.01412},
  archivePrefix = {arXiv}
}""",
        claim="Minima whose whole neighbourhood has a low loss generalise better.",
        official_code="ok",
        deviates="Twice the passes of plain training at the same number of steps; the second pass "
        "does not move running statistics of a BatchNorm.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"rho": (0.05, 0.1, 0.2, 0.5)},
    )
    rho: Annotated[float, Meta(ge=0)] = 0.05
    """Radius of the neighbourhood; the norm is over all parameters."""

    def move(
        self, weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
    ) -> list[torch.Tensor]:
        """Return rho g / ||g|| (equation 2)."""
        scale = self.rho / (norms(gradients) + 1e-12)
        return [times(scale, gradient) for gradient in gradients]
