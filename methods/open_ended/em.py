"""Soft allocation of batches (doi:10.1162/neco.1991.3.1.79): a mixture of regressions, with a
temperature that falls.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.open_ended import OpenEndedMethod


class SoftAllocation(OpenEndedMethod):
    """Let each predictor learn a batch as far as it is responsible for it."""

    card: ClassVar = MethodCard(
        name="em",
        title="Soft allocation of batches",
        track="open-ended",
        paper="doi:10.1162/neco.1991.3.1.79",
        bibtex="""@article{jacobs1991adaptive,
  title = {Adaptive Mixtures of Local Experts},
  author = {Jacobs, Robert A. and Jordan, Michael I. and Nowlan, Steven J. and Hinton, Geoffrey E.},
  journal = {Neural Computation},
  volume = {3},
  number = {1},
  pages = {79--87},
  year = {1991}
}""",
        claim="Experts that compete for rows divide a problem into parts that each can solve.",
        deviates="Without a gate: all experts are equally likely before a batch is seen. "
        "Responsibilities are those of whole batches, at a temperature that falls.",
        signal="loss",
        stacked=True,
        defaults_from="here",
    )
    temperature: Annotated[float, Meta(gt=0)] = 0.1
    """Of the first update."""
    last: Annotated[float, Meta(gt=0)] = 0.01
    """Of the last; it falls geometrically."""

    def shares(self, losses: torch.Tensor, progress: float) -> torch.Tensor:
        """Return softmax(-mean error of the batch / T) over nets."""
        temperature = self.temperature * (self.last / self.temperature) ** progress
        share = (-losses.mean(3, keepdim=True) / temperature).softmax(0)
        return share.expand_as(losses)
