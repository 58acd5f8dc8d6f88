"""Masked distillation training (arXiv:2307.12463), in our reading."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard

from ._masked import CALIBRATION, TUNING
from .dm import DistributionMatching


class MaskedDistillation(DistributionMatching):
    """Distribution matching in which a fresh share of the synthetic pixels is hidden from every
    loss, so that no few of them carry all.
    """

    card: ClassVar = MethodCard(
        name="mdt",
        title="Masked distillation training on distribution matching",
        track=("condensation", "condensation-calibration"),
        paper="arXiv:2307.12463",
        bibtex=CALIBRATION,
        official_code="none",
        deviates="Our reading of the abstract, no code being public: pixels of the synthetic "
        "images are zeroed at random in the loss; the base is dm.",
        defaults_from="here",
        tuning=TUNING,
    )
    masked: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the pixels hidden at each update."""

    def shown(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the images with a fresh random share of pixels set to
        zero, which is the mean pixel.
        """
        return images * (torch.rand(images.shape, generator=generator) >= self.masked).to(
            images.device
        )
