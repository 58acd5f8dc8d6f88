"""Adaptive sharpness-aware minimisation (arXiv:2102.11600)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard

from ._ascent import Ascent, norms, times


class Asam(Ascent):
    """SAM in a neighbourhood that grows with the weights, so that scaling one layer up and the next
    one down changes nothing.
    """

    card: ClassVar = MethodCard(
        name="asam",
        title="Adaptive sharpness-aware minimisation",
        track="recipes",
        paper="arXiv:2102.11600",
        bibtex="""@inproceedings{kwon2021asam,
  title = {ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant Learning of Deep Neural
    Networks},
  author = {Kwon, Jungmin and Kim, Jeongseop and Park, Hyunseo and Choi, In Kwon},
  booktitle = {ICML},
  year = {2021},
  eprint = {2102.11600},
  archivePrefix = {arXiv}
}""",
        claim="Sharpness that does not depend on the scale of layers goes together with "
        "generalisation better than SAM's.",
        official_code="ok",
        deviates="Twice the passes of plain training; weights are normalised element by element, "
        "without the small constant beside them.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"rho": (0.2, 0.5, 1.0, 2.0)},
    )
    settings: ClassVar = {"cifar": {"rho": 2.0}}
    rho: Annotated[float, Meta(ge=0)] = 0.5
    """Radius of the neighbourhood, in units of the weights; about ten times SAM's."""

    def move(
        self, weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
    ) -> list[torch.Tensor]:
        """Return rho w^2 g / || |w| g || (equation 9)."""
        scaled = [
            weight.abs() * gradient for weight, gradient in zip(weights, gradients, strict=True)
        ]
        scale = self.rho / (norms(scaled) + 1e-12)
        return [
            times(scale, weight.abs() * own) for weight, own in zip(weights, scaled, strict=True)
        ]
