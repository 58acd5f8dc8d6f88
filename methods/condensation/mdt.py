"""Masked distillation training (arXiv:2307.12463), in our reading."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard

from ._masked import CALIBRATION
from .dm import DistributionMatching


class MaskedDistillation(DistributionMatching):
    """Distribution matching in which a fresh share of the synthetic pixels is hidden from every
    loss, so that no few of them carry all.
    """

    card: ClassVar = MethodCard(
        name="mdt",
        title="Masked distillation training on distribution matching",
        track="condensation-calibration",
        paper="arXiv:2307.12463",
        bibtex=CALIBRATION,
        official_code="none",
        deviates="Our reading of the abstract: the first author's repository "
        "(DongyaoZhu/mtt-distillation) holds the paper's other method, mts, and not this one. "
        "Pixels of the synthetic images are zeroed at random in the loss; the base is dm, not "
        "trajectory matching; no temperature is fitted.",
        defaults_from="here",
        tuning={"masked": (0.05, 0.1, 0.2, 0.3), "lr_img": (1.0, 3.0)},
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
