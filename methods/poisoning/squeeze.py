"""Feature squeezing to one bit (arXiv:1704.01155)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard

from ._in_front import InFront


class Squeeze(InFront):
    """Round every number of a picture to 0 or 1, in training and at test."""

    card: ClassVar = MethodCard(
        name="squeeze",
        title="Pictures of one bit",
        track="poisoning",
        paper="arXiv:1704.01155",
        bibtex="""@inproceedings{xu2018feature,
  title = {Feature Squeezing: Detecting Adversarial Examples in Deep Neural Networks},
  author = {Xu, Weilin and Evans, David and Qi, Yanjun},
  booktitle = {NDSS},
  year = {2018},
  eprint = {1704.01155},
  archivePrefix = {arXiv}
}""",
        claim="Fewer bits a pixel leave an attacker less room and a classifier enough to see; no "
        "claim about poisoned rows.",
        deviates="The paper compares answers with and without the change to detect attacks; here "
        "the changed picture is all that a net sees. It knows these pictures: digits are nearly "
        "black and white, so one bit keeps them and drops noise below the threshold.",
        signal="none",
        inputs="pictures",
        stacked=True,
        defaults_from="paper",
    )
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """What is above it becomes 1."""

    def change(self, x: torch.Tensor) -> torch.Tensor:
        """Return zeros and ones."""
        return (x > self.threshold).to(x.dtype)
