"""Fine-tuning of the last layers, CF-k and EU-k (arXiv:2201.06640)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets

from .ft import FineTune


class LastLayers(FineTune):
    """Fine-tune the last k layers on R and leave the others: CF-k; from
    new values of those layers: EU-k.
    """

    card: ClassVar = MethodCard(
        name="cf-k",
        title="Fine-tuning of the last k layers (CF-k, EU-k)",
        track=("unlearning-privacy", "unlearning-correction", "unlearning-regression"),
        paper="arXiv:2201.06640",
        bibtex="""@article{goel2022towards,
  title = {Towards Adversarial Evaluations for Inexact Machine Unlearning},
  author = {Goel, Shashwat and Prabhu, Ameya and Sanyal, Amartya and Lim, Ser-Nam and Torr, Philip
    and Kumaraguru, Ponnurangam},
  journal = {arXiv:2201.06640},
  year = {2022}
}""",
        deviates=(
            "Defaults are those of 'ft' here. In a convolutional net everything from the first "
            "trained kernel on is trained, which in the small CNN takes every BatchNorm along. "
            "No effect at this scale: on random rows its models are no nearer to retrained ones "
            "than the originals are."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"k": (1, 2), "rate": (0.4, 0.8, 1.6, 3.2)},
    )
    settings: ClassVar = {"corrective": {"rate": 1.0, "falling": False}}
    k: Annotated[int, Meta(ge=1)] = 2
    """Layers that are trained, counted from the output."""
    fresh: bool = False
    """Draw these layers anew first (EU-k)."""

    def start(self, group: Group) -> Nets:
        """Return the originals with all but the last layers held."""
        nets = group.originals()
        last = {id(parameter) for parameter in nets.last(self.k)}
        if self.fresh:
            drawn = group.fresh("method", "layers")
            with torch.no_grad():
                for parameter, new in zip(nets.parameters(), drawn.parameters(), strict=True):
                    if id(parameter) in last:
                        parameter.copy_(new)
        for parameter in nets.parameters():
            parameter.requires_grad_(id(parameter) in last)
        return nets
